import json
import unicodedata
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent.protocol.types import Json
from client_agent.reconcile import Context, reconcile
from client_agent.settings import SCHEMAS, SettingInvalid
from client_agent.settings.browser_start_pages.handler import CHROMIUM, FIREFOX, HANDLER
from client_agent.settings.browser_start_pages.schema import BrowserStartPages

SCHEMA = SCHEMAS["browser-start-pages"]


def is_allowed(url: str) -> bool:
    try:
        SCHEMA.decode({"start_pages": [url]})
    except SettingInvalid:
        return False
    return True


@pytest.mark.parametrize(
    "url",
    [
        "http://library.example",
        "https://library.example/",
        "https://bibliotek.example:8443/søg?q=bøger&x=%20#top",
        "http://127.0.0.1:8000/",
        "https://[2001:db8::1]:80/x",
        "https://blåbær.example/",
        "https://a/?next=user@example.com",
    ],
)
def test_allowed(url: str) -> None:
    assert is_allowed(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "library.example",
        "http://",
        "https:///path",
        "HTTPS//x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://user:password@library.example/",
        "http://user@library.example/",
        "http://library.example/\n",
        "http://library.example/ page",
        "http://library.example/\u0000",
        "http://library.example/\u0085",
        "http://library.example/\u202egnp.exe",
        "http://library.example/\ud800",
        "http://library.example|http://elsewhere.example",
        "http://library.example:port/",
        "http://library.example\\@elsewhere.example/",
        "x http://library.example/",
        "http://library.example/" + "a" * 2000,
    ],
)
def test_refused(url: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        SCHEMA.decode({"start_pages": ["http://a/", url]})
    assert caught.value.path == "$.start_pages[1]"


@given(st.text(max_size=40), st.sampled_from(["http://a", "https://a/", "http://", ""]))
def test_what_is_allowed_is_an_address_with_a_host(rest: str, start: str) -> None:
    url = start + rest
    if not is_allowed(url):
        return
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:  # brackets around what is no IPv6 address
        assert "[" in url
        return
    assert parts.scheme in ("http", "https")
    assert host
    assert parts.username is None
    categories = {unicodedata.category(character) for character in url}
    assert not categories & {"Cc", "Cs", "Zs", "Zl", "Zp"}
    assert "|" not in url


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"start_pages": []},
        {"start_pages": ["http://a/"] * 9},
        {"start_pages": "http://a/"},
        {"start_pages": ["http://a/"], "home_page": ""},
        {"start_pages": ["http://a/"], "show_home_button": "yes"},
        {"start_pages": ["http://a/"], "something": 1},
    ],
)
def test_values_that_are_not_allowed(value: Json) -> None:
    with pytest.raises(SettingInvalid):
        SCHEMA.decode(value)


def written(path: str, wanted: BrowserStartPages) -> dict[str, Json]:
    policies: dict[str, Json] = json.loads(HANDLER.contents(wanted)[path])
    return policies


def test_what_chromium_is_told() -> None:
    wanted = BrowserStartPages(["http://a/", "http://b/"])
    assert [written(path, wanted) for path in CHROMIUM] == [
        {
            "RestoreOnStartup": 4,
            "RestoreOnStartupURLs": ["http://a/", "http://b/"],
            "HomepageIsNewTabPage": False,
            "HomepageLocation": "http://a/",
        }
    ] * 2


def test_what_firefox_is_told() -> None:
    wanted = BrowserStartPages(["http://a/", "http://b/"], show_home_button=False)
    assert written(FIREFOX, wanted)["policies"] == {
        "Homepage": {
            "URL": "http://a/",
            "Additional": ["http://b/"],
            "Locked": True,
            "StartPage": "homepage-locked",
        },
        "OverrideFirstRunPage": "",
        "OverridePostUpdatePage": "",
        "ShowHomeButton": False,
    }


def test_browsers_can_read_what_is_written(tmp_path: Path) -> None:
    reconcile(
        {"browser-start-pages": {"start_pages": ["http://a/"]}},
        context=Context(tmp_path, "desktop"),
    )
    for path in HANDLER.owns:
        assert (tmp_path / path).stat().st_mode & 0o777 == 0o644
        for above in (tmp_path / path).relative_to(tmp_path).parents:
            assert (tmp_path / above).stat().st_mode & 0o555 == 0o555 or not above.name
