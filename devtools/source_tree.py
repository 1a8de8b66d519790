"""The repository's own files, and what its Python modules import."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("admin_site", "client_agent", "scripts", "devtools")
NOT_OURS = {
    ".git", ".venv", "build", "node_modules", "dist", "__pycache__",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
    ".import_linter_cache", ".grimp_cache",
}  # fmt: skip


@cache
def files() -> tuple[Path, ...]:
    """Return all files that belong to the repository, relative to its root.

    That is what git knows or would add; without git, all but what is made here.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60)
    if done.returncode == 0:
        names = (Path(name) for name in done.stdout.decode().split("\0") if name)
    else:
        names = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
    return tuple(
        sorted(
            name
            for name in names
            if not NOT_OURS & set(name.parts) and (ROOT / name).is_file()
        )
    )


def python_files(*folders: str) -> list[Path]:
    """Return the Python files below some top folders, library scripts included."""
    return [
        path
        for path in files()
        if path.parts[0] in folders and (path.suffix == ".py" or path.name == "run")
    ]


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file given relative to the root."""
    return ast.parse((ROOT / path).read_bytes(), filename=str(path))


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the absolute name of everything a file imports, with its line.

    ``from a import b`` yields ``a.b``: whether b is a module does not matter here.
    """
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def is_within(name: str, *modules: str) -> bool:
    """Whether a dotted name is one of `modules` or lies inside one."""
    return any(name == module or name.startswith(module + ".") for module in modules)
