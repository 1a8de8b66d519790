"""What a run says about tests that it left out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.source_tree import ROOT

TESTS = """
import pytest

@pytest.mark.needs("dbus")
def test_bus(): pass

@pytest.mark.needs("dbus")
@pytest.mark.needs("root")
def test_service(): pass

@pytest.mark.tier("soak")
def test_long(): pass

def test_plain(): pass
"""
BARE_MACHINE = """
from tests import conftest
for thing in conftest.NEEDS:
    conftest.NEEDS[thing] = lambda: False
"""


def run(folder: Path, *arguments: str) -> str:
    """Run pytest on tests outside the repository, with the repository's conftest."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CITIZENPC_", "PYTEST_"))
        and name not in {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"}
    }
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml")]
    command += ["-p", "tests.conftest", *arguments, str(folder)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment | {"PYTHONPATH": f"{ROOT}:{folder}"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_what_could_not_run_is_counted_and_named(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "bare_machine.py").write_text(BARE_MACHINE)
    output = run(tmp_path, "-p", "bare_machine", *workers)
    assert "could not run here: 2\n" in output
    assert "test_some.py::test_bus" in output
    assert "test_some.py::test_service" in output
    assert "1 passed, 2 skipped" in output


def test_other_tier_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    output = run(tmp_path, "--tier", "soak")
    assert "could not run here: 0\n" in output
    assert "not in this tier, or not chosen: 3\n" in output
    assert "1 passed, 3 deselected" in output


def test_unknown_need_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS.replace('"root"', '"luck"'))
    output = run(tmp_path)
    assert "needs('luck') is not one of" in output
    assert "1 error" in output
