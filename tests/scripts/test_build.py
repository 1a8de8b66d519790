"""What keeps a script out of the library."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import __main__ as command
from scripts import build
from scripts.index import LIBRARY_ROOT, load_library
from scripts.metadata import MetadataError, json_schema, read_metadata
from scripts.parameters import Texts

PLACE = "disks/disk-report"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library with one good script, and its test."""
    root = tmp_path / "scripts"
    shutil.copytree(LIBRARY_ROOT / PLACE, root / PLACE)
    shutil.copy(LIBRARY_ROOT / "categories.toml", root)
    test = tmp_path / "tests" / "disks" / "test_disk_report.py"
    test.parent.mkdir(parents=True)
    test.write_text("")
    return root


def _codes(library: Path) -> list[str]:
    found = build.check_library(library, library.parent / "tests")
    return [finding.code for finding in found]


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_good_library_is_accepted(library: Path) -> None:
    assert _codes(library) == []


def _without_metadata(script: Path) -> None:
    (script / "script.toml").unlink()


def _without_executable(script: Path) -> None:
    (script / "run").unlink()


def _without_executable_bit(script: Path) -> None:
    (script / "run").chmod(0o644)


def _with_other_shebang(script: Path) -> None:
    _edit(script / "run", "#!/usr/lib/citizenpc/python", "#!/usr/bin/env perl")


def _with_new_syntax(script: Path) -> None:
    with (script / "run").open("a") as file:
        file.write("\ntype Alias = int\n")


def _with_another_file(script: Path) -> None:
    (script / "notes.txt").write_text("")


def _with_link(script: Path) -> None:
    (script / "run").rename(script.parent.parent.parent / "elsewhere")
    (script / "run").symlink_to(script.parent.parent.parent / "elsewhere")


def _without_test(script: Path) -> None:
    (script.parents[2] / "tests/disks/test_disk_report.py").unlink()


def _with_unknown_undo(script: Path) -> None:
    _edit(script / "script.toml", 'risk = "reads"', 'risk = "reads"\nundo = "nothing"')


def _under_another_name(script: Path) -> None:
    script.rename(script.with_name("report"))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_without_metadata, "metadata-invalid"),
        (_without_executable, "metadata-invalid"),
        (_without_executable_bit, "not-executable"),
        (_with_other_shebang, "shebang-unknown"),
        (_with_new_syntax, "syntax-error"),
        (_with_another_file, "file-unexpected"),
        (_with_link, "file-unexpected"),
        (_without_test, "test-missing"),
        (_with_unknown_undo, "undo-unknown"),
        (_under_another_name, "place-wrong"),
    ],
)
def test_script_is_refused(
    library: Path, spoil: Callable[[Path], None], code: str
) -> None:
    spoil(library / PLACE)

    assert _codes(library) == [code]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('da = "Diskrapport"\n', ""),
        ('da = "Diskrapport"', 'da = " "'),
        ('sv = "Varna över (procent)"\n', ""),
        ("default = 90", "default = 40"),
        ("default = 90", 'default = "90"'),
        ("minimum = 50", "minimum = 100"),
        ('version = "1.0.0"', 'version = "1.0"'),
        ('risk = "reads"', 'risk = "none"'),
        ('type = "integer"', 'type = "number"'),
        ('name = "warn-percent"', 'name = "warn_percent"'),
        ("limit_seconds = 300", "limit_seconds = 1"),
        ('"debian-13"]', '"debian-14"]'),
        ('slug = "disk-report"', 'slug = "disk-report"\nowner = "x"'),
        ('category = "disks"', 'category = "unheard-of"'),
        ("[title]", "[title"),
    ],
)
def test_metadata_is_refused(library: Path, old: str, new: str) -> None:
    _edit(library / PLACE / "script.toml", old, new)

    assert _codes(library) == ["metadata-invalid"]
    with pytest.raises(MetadataError):
        load_library(library)


def test_one_slug_belongs_to_one_script(library: Path) -> None:
    twin = library / "power" / "disk-report"
    shutil.copytree(library / PLACE, twin)
    _edit(twin / "script.toml", 'category = "disks"', 'category = "power"')
    shutil.copytree(library.parent / "tests/disks", library.parent / "tests/power")

    assert _codes(library) == ["slug-taken", "slug-taken"]


def test_unreadable_categories_are_told(library: Path) -> None:
    (library / "categories.toml").write_bytes(b"\xff")

    assert _codes(library) == ["metadata-invalid"]


def test_index_names_every_script(library: Path) -> None:
    (row,) = json.loads(build.index_content(library))

    assert row["executable"] == "disks/disk-report/run"
    assert row["metadata"]["title"]["sv"] == "Diskrapport"
    assert row["size_bytes"] == (library / PLACE / "run").stat().st_size


def test_schema_describes_every_type_of_parameter() -> None:
    schema = json_schema()
    parameters = schema["$defs"]["ScriptMetadata"]["properties"]["parameters"]

    assert set(parameters["items"]["discriminator"]["mapping"]) == {
        "string",
        "text",
        "integer",
        "boolean",
        "date",
        "time",
        "choice",
        "multi-choice",
        "file",
        "secret",
        "url",
        "email",
        "host",
        "printer",
        "group",
        "localised-text",
    }


def test_metadata_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "script.toml"
    for content in (b"\xff\xfe", b"\x00", b"slug = ", b"slug = 1", b""):
        path.write_bytes(content)
        with pytest.raises(MetadataError):
            read_metadata(path)


def test_texts_fall_back_to_english() -> None:
    texts = Texts(en="Disk", da="Disk", sv="Skiva")

    assert texts.in_language("sv") == "Skiva"
    assert texts.in_language("fi") == "Disk"


def test_command_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["check"]) == 0
    assert "scripts are fit for use" in capsys.readouterr().out


def test_command_fails_on_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = build.Finding("power/restart", "not-executable", "run lacks the bit")
    monkeypatch.setattr(build, "check_library", lambda: [finding])

    assert command.main(["build"]) == 1
    assert "power/restart: run lacks the bit" in capsys.readouterr().err
