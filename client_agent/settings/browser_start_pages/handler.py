"""Start pages as managed policies of Firefox and Chromium."""

from collections.abc import Mapping

import msgspec

from client_agent.protocol.types import Json
from client_agent.settings.browser_start_pages.schema import BrowserStartPages
from client_agent.settings.handling import FileHandler

FIREFOX = "etc/firefox/policies/policies.json"
"""Read before the file in the program's own directory, by Debian's and Ubuntu's
firefox-esr, the packages of Mozilla and the snap."""

CHROMIUM = (
    "etc/chromium/policies/managed/citizenpc-start-pages.json",  # Debian
    "etc/chromium-browser/policies/managed/citizenpc-start-pages.json",  # Ubuntu, snap
)
_OPEN_LISTED_PAGES = 4


class BrowserStartPagesHandler(FileHandler[BrowserStartPages]):
    """Writes for both browsers, installed or not: a policy harms nobody, and a browser
    that is installed later starts right."""

    owns = frozenset({FIREFOX, *CHROMIUM})

    def contents(self, wanted: BrowserStartPages) -> Mapping[str, bytes]:
        chromium = _json(_chromium_policies(wanted))
        firefox = _json({"policies": _firefox_policies(wanted)})
        return {FIREFOX: firefox, **dict.fromkeys(CHROMIUM, chromium)}


def _chromium_policies(wanted: BrowserStartPages) -> dict[str, Json]:
    """Source: chromeenterprise.google/policies, group Startup."""
    policies: dict[str, Json] = {
        "RestoreOnStartup": _OPEN_LISTED_PAGES,
        "RestoreOnStartupURLs": wanted.start_pages,
        "HomepageIsNewTabPage": False,
        "HomepageLocation": wanted.home_page or wanted.start_pages[0],
    }
    if wanted.show_home_button is not None:
        policies["ShowHomeButton"] = wanted.show_home_button
    return policies


def _firefox_policies(wanted: BrowserStartPages) -> dict[str, Json]:
    """Source: mozilla.github.io/policy-templates."""
    first, *others = wanted.start_pages
    policies: dict[str, Json] = {
        "Homepage": {
            "URL": first,
            "Additional": others,
            "Locked": True,
            "StartPage": "homepage-locked",
        },
        # Pages that would open before ours in a fresh profile, which is every visit's.
        "OverrideFirstRunPage": "",
        "OverridePostUpdatePage": "",
    }
    if wanted.show_home_button is not None:
        policies["ShowHomeButton"] = wanted.show_home_button
    return policies


def _json(policies: Json) -> bytes:
    encoded = msgspec.json.encode(policies, order="sorted")
    return msgspec.json.format(encoded, indent=2) + b"\n"


HANDLER = BrowserStartPagesHandler()
