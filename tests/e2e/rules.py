"""What every page has to fulfil. Each rule returns what is wrong, one line each."""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.utils.translation import trans_real
from playwright.sync_api import Page

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
AXE_OPTIONS = {
    "runOnly": {"type": "tag", "values": WCAG},
    # Off unless asked for by name.
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}
SMALLEST_TARGET = 24
LONG_ENOUGH = 3
_WORD = re.compile(r"[^\W\d_]{2,}[.,:;!?]?")

FRAME = """() => [
  document.querySelectorAll("h1").length, document.documentElement.lang, document.title
]"""

OVERFLOW = """() => {
  const page = document.scrollingElement;
  if (page.scrollWidth <= window.innerWidth) return [];
  const wide = [...document.body.querySelectorAll("*")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.right > window.innerWidth + 1 || box.left < -1;
  });
  return [`${page.scrollWidth} pixels wide`,
          ...wide.slice(0, 5).map((element) => element.outerHTML.slice(0, 120))];
}"""

# Links inside sentences may be as high as their line. WCAG 2.5.8.
TARGETS = """(smallest) => {
  const wrong = [];
  for (const element of document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(element);
    const parent = element.parentElement;
    const isInSentence = element.matches("a") && style.display === "inline" &&
      parent.textContent.trim().length > element.textContent.trim().length + 10;
    if (isInSentence) continue;
    const box = element.getBoundingClientRect();
    if (box.right <= 0 || box.bottom <= 0) continue;
    if (box.width < smallest - 0.5 || box.height < smallest - 0.5) {
      wrong.push(`${Math.round(box.width)} x ${Math.round(box.height)}: ` +
        element.outerHTML.slice(0, 120));
    }
  }
  return wrong;
}"""

# What is focused while its part of the page is renewed is found again by its id.
RENEWED = """() => [...document.querySelectorAll("[data-live-topic]")].flatMap(
  (part) => [...part.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, summary, [tabindex]")])
  .filter((element) => !element.id)
  .map((element) => element.outerHTML.slice(0, 120))"""

# All that people see or hear, piece by piece; not what computers have printed.
TEXTS = """() => {
  // The language menu names each language in itself.
  const notOurs = "pre, textarea, noscript, button[lang]";
  const found = [document.title.replace(/ – CitizenPC$/, "")];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!parent.closest(notOurs)) found.push(walker.currentNode.data);
  }
  for (const element of document.querySelectorAll("*")) {
    for (const name of ["aria-label", "alt", "title", "placeholder", "data-label"]) {
      if (element.hasAttribute(name)) found.push(element.getAttribute(name));
    }
  }
  return found.map((text) => text.replace(/\\s+/g, " ").trim()).filter(Boolean);
}"""


def overflow(page: Page) -> list[str]:
    """The page must not have to be scrolled sideways."""
    wrong: list[str] = page.evaluate(OVERFLOW)
    return [f"scrolls sideways: {each}" for each in wrong]


def targets(page: Page) -> list[str]:
    """What can be pressed must be large enough."""
    wrong: list[str] = page.evaluate(TARGETS, SMALLEST_TARGET)
    return [f"too small: {each}" for each in wrong]


def renewal(page: Page) -> list[str]:
    """Parts that renew themselves must not take the focus away."""
    wrong: list[str] = page.evaluate(RENEWED)
    return [f"has no id in a part that is renewed: {each}" for each in wrong]


def frame(page: Page, language: str) -> list[str]:
    """One heading, the right language, a title."""
    headings, spoken, title = page.evaluate(FRAME)
    wrong = []
    if headings != 1:
        wrong.append(f"{headings} headings of the first level")
    if spoken != language:
        wrong.append(f"lang is {spoken}")
    if not title.removesuffix(" – CitizenPC").strip():
        wrong.append("no title")
    return wrong


def accessibility(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA."""
    results: dict[str, Any] = Axe().run(page, options=AXE_OPTIONS).response
    return [
        f"{violation['id']}: {json.dumps(node['target'])}: {node['failureSummary']}"
        for violation in results["violations"]
        for node in violation["nodes"]
    ]


def texts(page: Page) -> list[str]:
    """All that people see or hear on the page, piece by piece."""
    found: list[str] = page.evaluate(TEXTS)
    return found


@cache
def _translated(language: str) -> dict[str, str]:
    """English texts whose translation is another, of the portal and its libraries."""
    catalogue: Any = trans_real.translation(language)
    pairs: Iterable[tuple[Any, str]] = catalogue._catalog.items()
    return {
        english: other
        for english, other in pairs
        if isinstance(english, str)
        and other
        and other != english
        and "%" not in english
    }


def untranslated(shown: list[str], language: str) -> list[str]:
    """Texts that stand there in English although the catalogue has them."""
    known = _translated(language)
    others = set(known.values())
    return [
        f"not translated: {text}"
        for text in shown
        if text in known and text not in others
    ]


def unmarked(shown: list[str], in_english: list[str], language: str) -> list[str]:
    """Sentences that stand there exactly as in English: nobody can translate them."""
    english = set(in_english)
    same = {text for text in shown if text in english and _is_sentence(text)}
    return [f"the same in {language}: {text}" for text in sorted(same)]


def named_hosts(shown: list[str], origin: str) -> list[str]:
    """Pages are called by sites and organisations, never by the server's address."""
    host = origin.removeprefix("http://")
    return [f"shows the server's address: {text}" for text in shown if host in text]


def _is_sentence(text: str) -> bool:
    words = [word for word in text.split() if _WORD.fullmatch(word)]
    return len(words) >= LONG_ENOUGH
