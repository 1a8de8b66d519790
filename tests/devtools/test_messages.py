from pathlib import Path

import pytest
from babel.messages.catalog import Message
from hypothesis import given
from hypothesis import strategies as st

from devtools import messages

SOURCE = """
from django.utils.translation import gettext_lazy as _, ngettext, pgettext
TITLE = _("Computers")
def line(count):
    return ngettext("one job", "%(count)d jobs", count), pgettext("verb", "Run")
"""
TEMPLATE = """{% load i18n %}
<ul>
      <li>{% translate "It's here" %}</li>
  {% blocktranslate count n=jobs %}one row{% plural %}{{ n }} rows
{% endblocktranslate %}
</ul>
"""


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> messages.Domain:
    folder = tmp_path / "app" / "templates"
    folder.mkdir(parents=True)
    (folder / "page.html").write_text(TEMPLATE)
    (tmp_path / "app" / "views.py").write_text(SOURCE)
    made = messages.Domain("django", tmp_path / "app", tmp_path / "app" / "locale")
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    monkeypatch.setattr(messages, "DOMAINS", (made,))
    return made


def translate(domain: messages.Domain, **changes: str) -> None:
    """Translate everything by itself, but for `changes` of the text of the file."""
    for language in messages.LANGUAGES:
        catalog = messages.read(domain.po_file(language), language)
        for message in catalog:
            if message.id:
                message.string = message.id
        text = messages.rendered(catalog, language).decode()
        for old, new in changes.items():
            text = text.replace(old, new)
        domain.po_file(language).write_text(text)


def test_all_kinds_of_texts_are_found(domain: messages.Domain) -> None:
    found = {(message.id, message.context) for message in messages.collect(domain)}
    assert found - {("", None)} == {
        ("Computers", None),
        (("one job", "%(count)d jobs"), None),
        ("Run", "verb"),
        ("It's here", None),
        (("one row", "%(n)s rows\n"), None),
    }


def test_what_is_not_translated_fails(domain: messages.Domain) -> None:
    messages.update()
    problems = messages.check()
    assert len([line for line in problems if "no translation" in line]) == 10


def test_complete_catalogue_passes_and_compiles(domain: messages.Domain) -> None:
    messages.update()
    translate(domain)
    assert messages.check() == []
    before = domain.po_file("sv").read_bytes()
    messages.update()
    assert domain.po_file("sv").read_bytes() == before
    messages.compile_all()
    assert domain.po_file("sv").with_suffix(".mo").stat().st_size > 0


def test_what_is_no_longer_used_is_stale(domain: messages.Domain) -> None:
    messages.update()
    translate(domain)
    (domain.sources / "views.py").write_text("")
    assert all("not up to date" in line for line in messages.check())
    assert len(messages.check()) == 2
    messages.update()
    assert b"Computers" not in domain.po_file("da").read_bytes()
    assert messages.check() == []


def test_fuzzy_fails(domain: messages.Domain) -> None:
    messages.update()
    translate(domain)
    path = domain.po_file("da")
    text = path.read_text()
    path.write_text(text.replace('msgid "Comp', '#, fuzzy\nmsgid "Comp'))
    assert any("fuzzy" in line for line in messages.check())


@pytest.mark.parametrize(
    ("ids", "texts", "is_right"),
    [
        ("Hello {name}", "Hej {name}", True),
        ("Hello {name}", "Hej {navn}", False),
        ("Hello %(name)s", "Hej", False),
        ("100 %% of %s", "%s: 100 %%", True),
        (("one", "%(n)d of {x}"), ("en", "{x} af %(n)d"), True),
        (("one", "%(n)d"), ("%(n)d", "%(n)d"), True),
        (("one", "%(n)d"), ("en", "flere"), False),
    ],
)
def test_placeholders(
    ids: str | tuple[str, ...], texts: str | tuple[str, ...], is_right: bool
) -> None:
    assert (messages.faults(Message(ids, texts)) == []) is is_right


@given(st.text(), st.text())
def test_placeholders_do_not_depend_on_order(first: str, second: str) -> None:
    joined = "{a}" + first.replace("%", "").replace("{", "").replace("}", "") + "%(b)s"
    turned = "%(b)s" + second.replace("%", "").replace("{", "").replace("}", "") + "{a}"
    assert messages.placeholders(joined) == messages.placeholders(turned)
