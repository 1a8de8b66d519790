"""Files and functions stay as long as a reader can hold."""

import ast
import statistics
from pathlib import Path

from devtools.source_tree import PROGRAMS, ROOT, python_files, tree_of

LONGEST_FILE = 500
LONGEST_FUNCTION = 60
LONGEST_OF_MOST = 45
BANNED_NAMES = {"utils.py", "helpers.py", "common.py", "misc.py"}


def ours() -> list[Path]:
    return [path for path in python_files(*PROGRAMS) if "migrations" not in path.parts]


def functions() -> list[tuple[str, int]]:
    return [
        (f"{path}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for path in ours()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_files_are_short() -> None:
    paths = [*ours(), *python_files("tests")]
    assert [
        f"{path}: {lines}"
        for path in paths
        if (lines := len((ROOT / path).read_text().splitlines())) > LONGEST_FILE
    ] == []


def test_functions_are_short() -> None:
    lengths = functions()
    assert [
        f"{name}: {lines}" for name, lines in lengths if lines > LONGEST_FUNCTION
    ] == []
    twentieth = statistics.quantiles((lines for _, lines in lengths), n=20)[-1]
    assert twentieth < LONGEST_OF_MOST


def test_names_say_something() -> None:
    assert [path for path in ours() if path.name in BANNED_NAMES] == []
    assert [
        f"{path}:{node.lineno} {node.name}"
        for path in ours()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and node.name.endswith("Manager")
        if not any("Manager" in ast.unparse(base) for base in node.bases)
    ] == []
