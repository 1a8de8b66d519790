"""What no file of the repository may contain."""

import re

import pytest

from devtools.source_tree import ROOT, files

# Written in pieces, so that this file does not contain what it looks for.
REGISTRIES = (
    "pypi" + r"\.org",
    "python" + r"hosted\.org",
    "npm" + r"js\.(org|com)",
    "yarn" + r"pkg\.com",
    "jsdelivr" + r"\.net",
    "unpkg" + r"\.com",
)
ONE_MACHINE = (r"(?<![\w.$}-])/(root|work|Users)" + "/",)
# Texts of others, kept to the letter.
VERBATIM = {"LICENSE"}


@pytest.mark.parametrize("pattern", [*REGISTRIES, *ONE_MACHINE])
def test_no_file_names(pattern: str) -> None:
    found = []
    looked_for = re.compile(pattern)
    for path in files():
        if path.name in VERBATIM:
            continue
        text = (ROOT / path).read_bytes().decode("utf-8", "replace")
        found += [
            f"{path}:{number}"
            for number, line in enumerate(text.splitlines(), 1)
            if looked_for.search(line)
        ]
    assert found == []


def test_locked_files_name_hashes_only() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert locks
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text
        assert not re.search(r"^-", text, re.MULTILINE), "no options"
        pinned = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
        assert pinned
        assert all("==" in part and "--hash=sha256:" in part for part in pinned)


def test_every_dependency_gives_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    groups = text.split("[dependency-groups]")[1].split("\n[tool.")[0]
    named = [line for line in groups.splitlines() if line.startswith('    "')]
    assert named
    assert [line for line in named if " # " not in line.split('",', 1)[-1]] == []
