"""Commands speak the language of who runs them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devtools import messages

VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture
def agent(tmp_path: Path) -> Path:
    """A directory with a copy of the agent and its compiled catalogues."""
    package = tmp_path / "program" / "client_agent"
    unwanted = shutil.ignore_patterns("__pycache__", ".mypy_cache", "*.mo")
    shutil.copytree(messages.AGENT, package, ignore=unwanted)
    for language in messages.LANGUAGES:
        messages.compile_file(_catalogue(package.parent, language), language)
    return package.parent


def _catalogue(program: Path, language: str) -> Path:
    directory = program / "client_agent" / "locale" / language / "LC_MESSAGES"
    return directory / "citizenpc.po"


def doctor(program: Path, **language: str) -> str:
    """What ``doctor`` says about a computer on which there is nothing yet."""
    root = program.parent / "root"
    others = {name: each for name, each in os.environ.items() if name not in VARIABLES}
    result = subprocess.run(
        [sys.executable, "-m", "client_agent.cli", "doctor", "--root", str(root)],
        cwd=program,
        # The copy comes first; what the agent needs beside it is the repository's.
        env={**others, "PYTHONPATH": str(messages.ROOT), "PYTHONUTF8": "1", **language},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (1, "")
    return result.stdout


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ({"LANGUAGE": "da"}, "Tilmelding: PROBLEM aldrig begyndt"),
        ({"LANG": "da_DK.UTF-8"}, "Nøgler: PROBLEM"),
        ({"LANGUAGE": "da"}, "Navneopslag (DNS): ikke prøvet"),
        ({"LANGUAGE": "sv"}, "Namnuppslagning (DNS): inte prövat"),
        ({"LC_ALL": "sv_SE.UTF-8", "LANG": "da_DK.UTF-8"}, "Nycklar: PROBLEM"),
        ({"LANGUAGE": "sv:da"}, "Anslutning: PROBLEM aldrig påbörjad"),
        ({"LANG": "de_DE.UTF-8"}, "Enrolment: TROUBLE never begun"),
        ({}, "Keys: TROUBLE"),
    ],
)
def test_doctor_speaks_the_language_of_who_asks(
    agent: Path, language: dict[str, str], said: str
) -> None:
    assert said in doctor(agent, **language)


def test_without_catalogues_it_is_english(agent: Path) -> None:
    shutil.rmtree(agent / "client_agent" / "locale")
    assert "Keys: TROUBLE" in doctor(agent, LANGUAGE="da")


@pytest.mark.parametrize("damaged", [b"", b"no catalogue", b"\xde\x12\x04\x95\0\0"])
def test_a_damaged_catalogue_is_no_obstacle(agent: Path, damaged: bytes) -> None:
    _catalogue(agent, "da").with_suffix(".mo").write_bytes(damaged)
    assert "Keys: TROUBLE" in doctor(agent, LANGUAGE="da")
