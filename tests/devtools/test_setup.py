from pathlib import Path

import pytest

from devtools import setup


def test_too_old_python_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "VERSIONS", ("3.98", "3.99"))
    with pytest.raises(setup.SetupError, match=r"needs Python 3\.98, 3\.99"):
        setup.find_python()


def test_python_of_this_machine_is_found() -> None:
    assert setup.find_python()


def test_full_disk_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(setup, "NEEDED_BYTES", 10**18)
    with pytest.raises(setup.SetupError, match="free some space"):
        setup.check_disk(tmp_path)


def test_failing_command_shows_its_last_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(setup, "LOG", tmp_path / "log")
    with pytest.raises(setup.SetupError, match=r"It broke\.(.|\n)*no such thing"):
        setup.call(["sh", "-c", "echo no such thing; exit 3"], "It broke.")
    with pytest.raises(setup.SetupError, match="No such file"):
        setup.call([str(tmp_path / "none")], "It broke.")


def test_a_part_is_made_again_only_when_its_sources_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    source, output, made = tmp_path / "source", tmp_path / "output", []
    source.write_text("1")

    def make() -> None:
        made.append(source.read_text())
        output.touch()

    def run() -> None:
        stamps = setup.Stamps(tmp_path / "stamps")
        stamps.require("part", [source], make, output=output)

    run()
    run()
    source.write_text("2")
    run()
    output.unlink()
    run()
    assert made == ["1", "2", "2"]


def test_an_optional_part_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    stamps = setup.Stamps(tmp_path / "stamps")
    stamps.attempt("part", [], lambda: "D-Bus parts could not be installed: no apt")
    assert "could not be installed" in capsys.readouterr().out
    calls: list[str] = []
    for _ in range(2):
        stamps.attempt("part", [], lambda: calls.append("made"))
    assert calls == ["made"]
