"""What makes a script fit for the library, and what is generated from all of them."""

import ast
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from client_agent.protocol import limits
from client_agent.scriptlib.interpreter import PYTHON_SHEBANG
from scripts import index
from scripts.documentation import library_page
from scripts.index import LibraryScript
from scripts.metadata import MetadataError, json_schema

OLDEST_PYTHON = (3, 10)
SHEBANGS = (PYTHON_SHEBANG, b"#!/bin/sh")
ALLOWED_FILES = frozenset({index.EXECUTABLE_NAME, index.METADATA_NAME})

REPOSITORY_ROOT = index.LIBRARY_ROOT.parent
TESTS_ROOT = REPOSITORY_ROOT / "tests" / "scripts"
SCHEMA_PATH = index.LIBRARY_ROOT / "schema" / "script.schema.json"
PAGE_PATH = REPOSITORY_ROOT / "docs" / "scripts.md"
INDEX_PATH = REPOSITORY_ROOT / "build" / "scripts" / "index.json"


@dataclass(frozen=True)
class Finding:
    """Why `place` (relative to the library or the repository) is refused."""

    place: str
    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text} [{self.code}]"


def check_library(
    root: Path = index.LIBRARY_ROOT, tests: Path = TESTS_ROOT
) -> list[Finding]:
    """Everything that keeps the library below `root` from being released."""
    try:
        titles = index.category_titles(root)
    except MetadataError as error:
        return [Finding(index.CATEGORIES_NAME, error.code, str(error))]
    findings: list[Finding] = []
    scripts = []
    for path in index.script_directories(root):
        place = path.relative_to(root).as_posix()
        findings.extend(_check_files(path, place))
        try:
            script = index.load_script(path, titles)
        except MetadataError as error:
            findings.append(Finding(place, error.code, str(error)))
            continue
        scripts.append(script)
        findings.extend(_check_place(script, path, place))
        findings.extend(_check_executable(script, place))
        findings.extend(_check_test(script, tests, place))
    return findings + list(_check_together(scripts))


def check_generated() -> list[Finding]:
    """Generated files in the repository that are not what would be generated now."""
    return [
        Finding(
            path.relative_to(REPOSITORY_ROOT).as_posix(),
            "out-of-date",
            "is not what `python -m scripts build` makes",
        )
        for path, make in _GENERATED.items()
        if not path.is_file() or path.read_bytes() != make()
    ]


def write_generated() -> list[Path]:
    """Write the schema and the documentation; return what changed."""
    changed = []
    for path, make in _GENERATED.items():
        content = make()
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            changed.append(path)
    return changed


def index_content(root: Path = index.LIBRARY_ROOT) -> bytes:
    """The library as JSON for other programs: metadata, place, digest and size."""
    rows: list[dict[str, Any]] = [
        {
            "metadata": script.metadata,
            "executable": script.executable.relative_to(root).as_posix(),
            "sha256": script.sha256,
            "size_bytes": script.size_bytes,
        }
        for script in index.load_library(root)
    ]
    return msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n"


def _check_files(path: Path, place: str) -> Iterator[Finding]:
    for found in sorted(path.iterdir()):
        if found.name not in ALLOWED_FILES or found.is_symlink():
            text = f"{found.name} does not belong into a script's directory"
            yield Finding(place, "file-unexpected", text)


def _check_place(script: LibraryScript, path: Path, place: str) -> Iterator[Finding]:
    metadata = script.metadata
    if (metadata.category, metadata.slug) != (path.parent.name, path.name):
        text = f"says that it is {metadata.category}/{metadata.slug}"
        yield Finding(place, "place-wrong", text)


def _check_executable(script: LibraryScript, place: str) -> Iterator[Finding]:
    if not os.access(script.executable, os.X_OK):
        yield Finding(place, "not-executable", "run lacks the executable bit")
    if script.size_bytes > limits.BLOB_BYTES:
        yield Finding(place, "too-large", f"run is above {limits.BLOB_BYTES} bytes")
        return
    content = script.content()
    shebang = content.partition(b"\n")[0]
    if shebang not in SHEBANGS:
        known = " or ".join(line.decode() for line in SHEBANGS)
        yield Finding(place, "shebang-unknown", f"run must begin with {known}")
    elif shebang == PYTHON_SHEBANG:
        yield from _check_python(content, place)


def _check_python(content: bytes, place: str) -> Iterator[Finding]:
    try:
        ast.parse(content, feature_version=OLDEST_PYTHON)
    except (SyntaxError, ValueError) as error:
        yield Finding(place, "syntax-error", f"run is no Python 3.10: {error}")


def _check_test(script: LibraryScript, tests: Path, place: str) -> Iterator[Finding]:
    metadata = script.metadata
    name = f"test_{metadata.slug.replace('-', '_')}.py"
    if not (tests / metadata.category / name).is_file():
        text = f"tests/scripts/{metadata.category}/{name} is missing"
        yield Finding(place, "test-missing", text)


def _check_together(scripts: list[LibraryScript]) -> Iterator[Finding]:
    slugs = [script.metadata.slug for script in scripts]
    for script in scripts:
        metadata = script.metadata
        place = f"{metadata.category}/{metadata.slug}"
        if slugs.count(metadata.slug) > 1:
            yield Finding(place, "slug-taken", "another script has the same slug")
        if metadata.undo is not None and metadata.undo not in slugs:
            yield Finding(place, "undo-unknown", f"there is no {metadata.undo}")


def _schema_content() -> bytes:
    return msgspec.json.format(msgspec.json.encode(json_schema()), indent=2) + b"\n"


def _page_content() -> bytes:
    return library_page(index.load_library()).encode()


_GENERATED: dict[Path, Callable[[], bytes]] = {
    SCHEMA_PATH: _schema_content,
    PAGE_PATH: _page_content,
}
