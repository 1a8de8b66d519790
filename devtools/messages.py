"""Message catalogues: collects msgids, checks translations, compiles them.

    python -m devtools.messages update|check|compile

There are three: the portal's (Python and templates), the agent's, and that of the
settings, which both show. The files carry neither dates nor line numbers, so that they
change only when a text does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("da", "sv")
# The same in both languages: one form for one, another for everything else.
PLURALS = "nplurals=2; plural=(n != 1);"
COMMENT_TAG = "Translators:"

# Positions of the message, its plural and its context in each call.
Keyword = tuple[int | tuple[int, str], ...] | None
SINGLE: tuple[str, ...] = ("_", "N_", "gettext", "gettext_lazy", "gettext_noop")
KEYWORDS: dict[str, Keyword] = {
    **dict.fromkeys(SINGLE),
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}

# "%(name)s" and "%s"; "{name}" of str.format, but not a doubled brace.
PLACEHOLDER = re.compile(r"%\((?P<key>\w+)\)[sd]|%[sd]|(?<!\{)\{(?P<field>\w*)\}(?!\})")


@dataclass(frozen=True)
class Domain:
    """One catalogue: where its texts are found and where its languages lie.

    Texts below `elsewhere` belong to another catalogue.
    """

    name: str
    sources: Path
    locale: Path
    elsewhere: Path | None = None

    def po_file(self, language: str) -> Path:
        """Return the catalogue of one language."""
        return self.locale / language / "LC_MESSAGES" / f"{self.name}.po"


PORTAL = ROOT / "admin_site"
AGENT = ROOT / "client_agent"
SETTINGS = AGENT / "settings"
DOMAINS = (
    Domain("django", PORTAL, PORTAL / "locale"),
    Domain("citizenpc", AGENT, AGENT / "locale", elsewhere=SETTINGS),
    # The portal shows these too, so they lie beside the schemas that it reads.
    Domain("citizenpc", SETTINGS, SETTINGS / "locale"),
)
NOT_SOURCES = ("migrations", "node_modules", "dist", "locale")


def collect(domain: Domain) -> Catalog:
    """Return all texts of a domain's Python files and templates, untranslated."""
    if not settings.configured:
        # templatize() asks for the file character set, and nothing else of ours.
        settings.configure(USE_I18N=True)
    catalog = Catalog(charset="utf-8")
    for path in sorted(domain.sources.rglob("*")):
        if any(part in NOT_SOURCES for part in path.relative_to(ROOT).parts):
            continue
        if domain.elsewhere and path.is_relative_to(domain.elsewhere):
            continue
        for message, comments, context in _texts_in(path):
            catalog.add(message, auto_comments=comments, context=context)
    return catalog


def _texts_in(
    path: Path,
) -> Iterator[tuple[str | tuple[str, ...], list[str], str | None]]:
    if path.suffix == ".py":
        source = path.read_bytes()
    elif path.suffix in {".html", ".txt"} and "templates" in path.parts:
        text = templatize(path.read_text(encoding="utf-8"), origin=str(path))
        # What is no tag became rows of X: without their indentation they are Python.
        source = "\n".join(line.strip() for line in text.splitlines()).encode()
    else:
        return
    tags = [COMMENT_TAG]
    for _, message, comments, context in extract(
        "python", BytesIO(source), KEYWORDS, tags, strip_comment_tags=False
    ):
        yield message, comments, context


def merged(domain: Domain, language: str) -> Catalog:
    """Return the texts of a domain with the translations that its file has."""
    fresh = collect(domain)
    catalog = Catalog(locale=language, charset="utf-8")
    known = read(domain.po_file(language), language)
    for message in fresh:
        if message.id:
            old = known.get(message.id, message.context)
            catalog.add(
                message.id,
                old.string if old else None,
                flags=(old.flags if old else set()) & {"fuzzy"},
                auto_comments=message.auto_comments,
                user_comments=old.user_comments if old else [],
                context=message.context,
            )
    return catalog


def read(path: Path, language: str) -> Catalog:
    """Return a catalogue file, empty when there is none."""
    if not path.exists():
        return Catalog(locale=language, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language, charset="utf-8")


def rendered(catalog: Catalog, language: str) -> bytes:
    """Return a catalogue as a file: sorted, without dates and line numbers."""
    body = BytesIO()
    write_po(
        body,
        catalog,
        width=88,
        no_location=True,
        omit_header=True,
        sort_output=True,
        ignore_obsolete=True,
    )
    header = (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {language}\\n"\n'
        '"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Content-Transfer-Encoding: 8bit\\n"\n'
        f'"Plural-Forms: {PLURALS}\\n"\n\n'
    )
    return header.encode() + body.getvalue().rstrip() + b"\n"


def update() -> list[str]:
    """Write all texts into the catalogues; what is no longer used leaves them."""
    for domain, path, language in _files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rendered(merged(domain, language), language))
    return []


def check() -> list[str]:
    """Return a line for each text that is missing, doubtful, wrong or stale."""
    problems: list[str] = []
    for domain, path, language in _files():
        name = path.relative_to(ROOT)
        catalog = merged(domain, language)
        problems += [
            f"{name}: {problem}" for message in catalog for problem in faults(message)
        ]
        found = path.read_bytes() if path.exists() else b""
        if found != rendered(catalog, language):
            problems.append(f"{name}: not up to date: run `make messages`")
    return problems


def faults(message: Message) -> list[str]:
    """Return what is wrong with one translation."""
    if not message.id:
        return []
    ids, texts = _forms(message.id), _forms(message.string)
    if len(texts) < len(ids) or not all(texts):
        return [f"no translation: {ids[0]!r}"]
    found = [f"fuzzy: {ids[0]!r}"] if message.fuzzy else []
    # A singular may leave the number out, as the English one does.
    if placeholders(texts[-1]) != placeholders(ids[-1]) or placeholders(
        texts[0]
    ) not in [placeholders(text) for text in ids]:
        found.append(f"placeholders differ: {ids[0]!r}")
    return found


def _forms(text: str | Sequence[str] | None) -> list[str]:
    """Return singular and plural of a text, or the only form that it has."""
    return [text or ""] if isinstance(text, str | None) else list(text)


def placeholders(text: str) -> list[str]:
    """Return what is filled into a text, in an order that translation may change."""
    return sorted(match[0] for match in PLACEHOLDER.finditer(text.replace("%%", "")))


def compile_all() -> list[str]:
    """Write the binary catalogues beside their sources."""
    for _, path, language in _files():
        if path.exists():
            compile_file(path, language)
    return []


def compile_file(path: Path, language: str) -> None:
    """Write the binary form of one catalogue beside it."""
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, read(path, language))


def _files() -> Iterator[tuple[Domain, Path, str]]:
    for domain in DOMAINS:
        for language in LANGUAGES:
            yield domain, domain.po_file(language), language


COMMANDS = {"update": update, "check": check, "compile": compile_all}


def main(arguments: list[str]) -> int:
    """Run the named command; status 1 when it found something wrong."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"Usage: python -m devtools.messages {'|'.join(COMMANDS)}")
        return 2
    problems = COMMANDS[arguments[0]]()
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
