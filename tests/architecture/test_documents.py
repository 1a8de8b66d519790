"""What the documents name is there."""

import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pytest

from devtools.source_tree import ROOT, files

DOCUMENTS = [
    path
    for path in files()
    if path.suffix == ".md" and (path.parts[0] == "docs" or str(path) == "README.md")
]
TREE = {PurePosixPath(each) for path in files() for each in (path, *path.parents)}
TOP = {path.parts[0] for path in TREE if path.parts}
NAMES = {path.name for path in TREE}
# A path in these may also begin at a program's folder, as their texts say.
SHORT = ("", "admin_site")

BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
QUOTED = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(
    r"(?:[\w.<>-]+/)*[\w.<>-]+\.(?:py|md|toml|sql|json|js|css|html|txt|po|service|ini)"
)
INSIDE = re.compile(r"([\w.-]+)/[\w.<>/-]*")
NO_FILE = re.compile(r"[a-z][a-z0-9+.-]*:|//|#")


def named_in(text: str) -> list[str]:
    """Names in backticks that look like a file or folder of a repository."""
    found = []
    for quoted in QUOTED.findall(BLOCK.sub("", text)):
        name = quoted.partition("::")[0]
        inside = INSIDE.fullmatch(name)
        if FILE.fullmatch(name) or (inside and inside[1] in TOP):
            found.append(name)
    return found


def is_there(name: str) -> bool:
    """Whether the repository has it; ``<slug>`` stands for any one name."""
    if "/" not in name:
        return name in NAMES
    wanted = [PurePosixPath(start, name) for start in SHORT]
    if "<" not in name:
        return any(path in TREE for path in wanted)
    patterns = [re.sub(r"<\w+>", "*", str(path)) for path in wanted]
    rooted = [PurePosixPath("/", path) for path in TREE]
    return any(path.match(f"/{each}") for path in rooted for each in patterns)


def linked_from(document: Path) -> list[Path]:
    """Where its links into the repository lead, relative to the root."""
    targets = LINK.findall(BLOCK.sub("", (ROOT / document).read_text()))
    return [
        (ROOT / document.parent / unquote(target.partition("#")[0]))
        .resolve()
        .relative_to(ROOT)
        for target in targets
        if not NO_FILE.match(target)
    ]


def test_documents_were_found() -> None:
    names = {str(path) for path in DOCUMENTS}
    assert {"README.md", "docs/architecture.md", "docs/threat-model.md"} <= names
    assert "tests/scripts/test_scriptlib.py" in named_in(
        (ROOT / "docs/threat-model.md").read_text()
    )
    assert len(linked_from(Path("docs/architecture.md"))) > 20


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_named_files_exist(document: Path) -> None:
    named = named_in((ROOT / document).read_text())
    assert [name for name in named if not is_there(name)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    targets = linked_from(document)
    assert [str(path) for path in targets if PurePosixPath(path) not in TREE] == []


def test_what_counts_as_a_path() -> None:
    text = (
        "`scripts/index.py` `core/rls.py` `scripts/<category>/<slug>/run` `tests/`"
        " `application/problem+json` `/agent/v1/state` `is_/has_` `pyproject.toml`"
        " `https://a.example/b.py` `disks/disk-report`\n```\n`not/this.py`\n```\n"
    )
    found = named_in(text)
    assert found == [
        "scripts/index.py",
        "core/rls.py",
        "scripts/<category>/<slug>/run",
        "tests/",
        "pyproject.toml",
    ]
    assert all(map(is_there, found))
    assert not any(map(is_there, ["scripts/gone.py", "gone.py", "scripts/<a>/gone"]))
