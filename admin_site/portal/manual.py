"""The manual: Markdown files of this repository, one for each page and language."""

import re
from functools import cache
from html import unescape

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

PAGES = (
    "today",
    "computers",
    "enrol",
    "scripts",
    "runs",
    "start-pages",
    "audit",
    "sign-in",
)
DIRECTORY = settings.BASE_DIR / "docs" / "manual"


def title_of(html: str) -> str:
    """The text of the page's heading, which the files begin with."""
    found = re.search(r"<h1>(.*?)</h1>", html)
    return unescape(found[1]) if found else ""


@cache
def rendered(page: str, language: str) -> SafeString:
    """One of `PAGES` as HTML, in English where a language lacks it.

    The files are ours and HTML in them is shown as text.
    """
    if page not in PAGES:
        raise ValueError("not a page of the manual")
    known = language if language in dict(settings.LANGUAGES) else "en"
    path = DIRECTORY / known / f"{page}.md"
    if not path.is_file():
        path = DIRECTORY / "en" / f"{page}.md"
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    html: str = markdown.render(path.read_text(encoding="utf-8"))
    return mark_safe(html)  # noqa: S308 - rendered from our own file without HTML
