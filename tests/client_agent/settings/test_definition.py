"""What must hold for every setting of the catalogue."""

import itertools
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from client_agent import settings
from client_agent.protocol import reports
from client_agent.protocol.types import Json
from client_agent.settings import REASONS, SCHEMAS, SettingInvalid, SettingSchema
from client_agent.settings.definition import ListMerge, Merge, list_meta
from client_agent.settings.handling import load_handler

FOLDERS = Path(settings.__file__).parent
SLUGS = sorted(SCHEMAS)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.fixture(params=SLUGS)
def schema(request: pytest.FixtureRequest) -> SettingSchema[Any]:
    return SCHEMAS[request.param]


def test_each_folder_is_a_setting_of_the_catalogue() -> None:
    folders = {path.parent.name for path in FOLDERS.glob("*/schema.py")}
    assert folders == {schema.package for schema in SCHEMAS.values()}


def test_a_folder_is_complete(schema: SettingSchema[Any]) -> None:
    folder = FOLDERS / schema.package
    for name in ("README.md", "handler.py", "schema.py"):
        assert (folder / name).is_file(), name
    assert schema.products


def test_each_field_has_texts_and_each_list_a_merge_rule(
    schema: SettingSchema[Any],
) -> None:
    for field in schema.fields():
        assert field.title, field.name
        assert field.help, field.name
        if _is_list(get_type_hints(schema.struct)[field.name]):
            assert field.merge is not None, field.name


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is list or any(_is_list(part) for part in get_args(hint))


def test_no_two_settings_own_the_same_path() -> None:
    owned = [
        (slug, PurePosixPath(path))
        for slug in SLUGS
        for path in load_handler(SCHEMAS[slug]).owns
    ]
    for (slug, path), (other, their) in itertools.combinations(owned, 2):
        assert not path.is_absolute()
        assert path != their, f"{slug} and {other}"
        assert path not in their.parents, f"{slug} and {other}"
        assert their not in path.parents, f"{slug} and {other}"


def test_the_catalogue_imports_no_handler_and_nothing_of_the_system() -> None:
    script = "import client_agent.settings, sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        cwd=FOLDERS.parent.parent,
        text=True,
        timeout=60,
    )
    loaded = set(done.stdout.split())
    assert "client_agent.settings" in loaded
    assert not [name for name in loaded if name.endswith((".handler", ".handling"))]
    assert not [name for name in loaded if name.startswith("client_agent.host")]


def test_the_json_schema_carries_texts_and_merge_rules(
    schema: SettingSchema[Any],
) -> None:
    described = schema.json_schema()
    properties = described["$defs"][schema.struct.__name__]["properties"]
    for field in schema.fields():
        shown = properties[field.name]
        assert (shown["title"], shown["description"]) == (field.title, field.help)
        if field.merge is not None:
            assert shown["x-merge"] == field.merge.merge.value


def test_a_list_merged_by_key_names_the_key() -> None:
    rule = ListMerge(Merge.BY_KEY, key="name")
    meta = list_meta(rule, title="Rows", description="Some.", max_length=3)
    assert meta.extra == {"merge": rule}
    assert meta.extra_json_schema == {"x-merge": "by-key", "x-merge-key": "name"}


@pytest.mark.parametrize("language", ["da", "sv"])
def test_every_text_is_translated(language: str) -> None:
    path = settings.LOCALE_DIRECTORY / language / "LC_MESSAGES"
    with (path / f"{settings.LOCALE_DOMAIN}.po").open("rb") as source:
        catalogue = read_po(source, locale=language)
    for text in texts():
        message = catalogue.get(text)
        assert message is not None, text
        assert message.string, text
        assert not message.fuzzy, text


def texts() -> set[str]:
    found = set(REASONS.values())
    for schema in SCHEMAS.values():
        found |= {schema.title, schema.help}
        for field in schema.fields():
            found |= {field.title, field.help}
    return found


def test_every_code_in_the_sources_has_its_text() -> None:
    sources = [
        FOLDERS.parent / "reconcile.py",
        *(FOLDERS.parent / "host" / f"{n}.py" for n in ("bus", "originals", "tree")),
    ]
    named = {
        code
        for source in sources
        for code in re.findall(
            r'(?:Error|Absent|_not_applicable)\(\s*(?:slug, )?"([a-z]+(?:-[a-z]+)+)"',
            source.read_text(),
        )
    }
    assert len(named) > 10
    assert named <= set(REASONS)


def test_every_reason_fits_a_report() -> None:
    for code in REASONS:
        record = {
            "seq": 1,
            "at": "2025-01-01T00:00:00Z",
            "setting": "a",
            "status": "failed",
            "revision": 1,
            "code": code,
        }
        msgspec.convert({"type": "compliance", **record}, reports.Record)


@given(value=JSON, slug=st.sampled_from(SLUGS))
def test_decoding_anything_raises_nothing_else(value: Json, slug: str) -> None:
    decode(SCHEMAS[slug], value)


@given(data=st.data(), slug=st.sampled_from(SLUGS))
def test_decoding_anything_in_the_right_fields_raises_nothing_else(
    data: st.DataObject, slug: str
) -> None:
    schema = SCHEMAS[slug]
    names = [field.name for field in schema.fields()]
    value = data.draw(st.dictionaries(st.sampled_from(names), JSON))
    decode(schema, value)


def test_deep_nesting_and_broken_text_are_invalid_values() -> None:
    deep: Json = []
    for _ in range(100_000):
        deep = [deep]
    for schema in SCHEMAS.values():
        first = schema.fields()[0].name
        for value in (deep, {first: deep}, {"\ud800": 1}, {first: "\ud800"}):
            assert decode(schema, value) is None


def decode(schema: SettingSchema[Any], value: Json) -> Any:
    """The value as struct, or None if it is not allowed."""
    try:
        decoded = schema.decode(value)
    except SettingInvalid as error:
        invalid = error
    else:
        assert schema.decode(schema.encode(decoded)) == decoded
        return decoded
    assert invalid.code in REASONS
    assert invalid.path.startswith("$")
    str(invalid).encode()
    return None
