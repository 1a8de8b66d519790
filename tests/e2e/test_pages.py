"""Each page in three languages and two widths: fits, speaks, and is accessible."""

import datetime
import zlib
from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from devtools.stack import ROOT
from tests.e2e import rules
from tests.e2e.browsing import (
    HEIGHT,
    IN_BROWSER,
    LANGUAGES,
    NARROW,
    WIDE,
    Window,
    Windows,
)
from tests.e2e.catalogue import NO_PAGES, PAGES, PortalPage

pytestmark = IN_BROWSER

SCREENSHOTS = ROOT / "build" / "screenshots"
ALWAYS = ("en", NARROW)
TURNS = (("da", NARROW), ("sv", NARROW), ("en", WIDE))


def turn_of(name: str, today: datetime.date) -> tuple[str, int]:
    """In which language and width axe looks at a page today, beside `ALWAYS`.

    Each day a third of the pages has each turn, and in three days each page has all.
    """
    number = zlib.crc32(name.encode()) + today.timetuple().tm_yday
    return TURNS[number % len(TURNS)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page: PortalPage, windows: Windows) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    turns = (ALWAYS, turn_of(page.name, today))
    window = windows.open(page.person, width=NARROW)
    shown: dict[str, list[str]] = {}
    problems: list[str] = []
    for language in LANGUAGES:
        window.speak(language)
        page.open(window)
        shown[language] = rules.texts(window.page)
        found = rules.frame(window.page, language) + rules.targets(window.page)
        found += rules.renewal(window.page)
        found += rules.named_hosts(shown[language], window.origin)
        found += _at_both_widths(window, page.name, language, turns)
        if language != "en":
            found += rules.untranslated(shown[language], language)
            found += rules.unmarked(shown[language], shown["en"], language)
        problems += [f"{language}: {each}" for each in found]
    assert not problems, "\n".join(problems)


def _at_both_widths(
    window: Window, name: str, language: str, turns: tuple[tuple[str, int], ...]
) -> list[str]:
    found = []
    for width in (NARROW, WIDE):
        window.page.set_viewport_size({"width": width, "height": HEIGHT})
        found += rules.overflow(window.page)
        if (language, width) in turns:
            found += rules.accessibility(window.page)
        path = SCREENSHOTS / f"{name}-{width}-{language}.png"
        window.page.screenshot(path=path, full_page=True)
    window.page.set_viewport_size({"width": NARROW, "height": HEIGHT})
    return found


def test_every_view_has_a_page_here() -> None:
    shown = {page.view for page in PAGES if page.view}
    assert shown | NO_PAGES == set(_names(get_resolver())) - {"", "agent"}


def _names(resolver: URLResolver) -> Iterator[str]:
    """Names of all views but those for agents."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield pattern.name or ""
        elif "agent" not in str(pattern.pattern):
            yield from _names(pattern)
