"""The agent and its scripts run on Python 3.10."""

import ast
import subprocess
import sys

import pytest

from devtools.source_tree import ROOT, python_files

# Imported before the names below are taken away: they have their own ways to live
# with old Pythons, decided by the version of this one.
PRELUDE = """
import importlib, pkgutil, sys
import asyncio.runners, asyncio.taskgroups, contextlib, datetime, enum, hashlib
import logging, operator, typing, tomllib
import cryptography.hazmat.primitives.asymmetric.ed25519, msgspec, psutil, requests
import cryptography.hazmat.primitives.asymmetric.x25519, websocket
import cryptography.hazmat.primitives.serialization, msgspec.json, http.client
for name in ("gi.repository.GLib", "pydbus"):
    try:
        importlib.import_module(name)
    except ImportError:
        pass

NEWER = {
    asyncio: ("TaskGroup", "timeout", "timeout_at", "Runner", "Barrier"),
    contextlib: ("chdir",),
    datetime: ("UTC",),
    enum: ("StrEnum", "ReprEnum", "verify", "member", "nonmember", "global_enum"),
    hashlib: ("file_digest",),
    logging: ("getLevelNamesMapping",),
    operator: ("call",),
    typing: (
        "Self", "Never", "LiteralString", "Required", "NotRequired", "Unpack",
        "TypeVarTuple", "assert_never", "assert_type", "reveal_type",
        "dataclass_transform", "override",
    ),
}


def hide(module, names):
    # Those who import the module no longer see them; it still uses them itself.

    class Older(type(module)):
        def __getattribute__(self, name):
            if name in names:
                raise AttributeError(name)
            return super().__getattribute__(name)

    module.__class__ = Older


for module, names in NEWER.items():
    hide(module, names)
sys.modules["tomllib"] = None
"""

IMPORT_ALL = """
def failed(name):
    raise

import client_agent
for found in pkgutil.walk_packages(client_agent.__path__, "client_agent.", failed):
    if found.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        if error.name not in ("gi", "gi.repository", "pydbus"):
            raise
    print(found.name)
"""


def test_agent_imports_without_newer_names() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + IMPORT_ALL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert "client_agent.protocol.codec" in done.stdout.split()


@pytest.mark.parametrize("name", ["asyncio.TaskGroup", "datetime.UTC", "enum.StrEnum"])
def test_the_names_are_really_gone(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    code = PRELUDE + f"from {module} import {attribute}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "ImportError" in done.stderr


def test_syntax_is_that_of_the_oldest_python() -> None:
    for path in python_files("client_agent", "scripts"):
        source = (ROOT / path).read_bytes()
        if path.name == "run" and b"python" not in source.split(b"\n", 1)[0]:
            continue
        ast.parse(source, filename=str(path), feature_version=(3, 10))


def test_newer_builtins_are_not_used() -> None:
    names = {"ExceptionGroup", "BaseExceptionGroup"}
    assert [
        f"{path}:{node.lineno} {node.id}"
        for path in python_files("client_agent", "scripts")
        for node in ast.walk(ast.parse((ROOT / path).read_bytes()))
        if isinstance(node, ast.Name) and node.id in names
    ] == []


def test_setup_says_so_on_an_older_python() -> None:
    """It has to be read by an old Python before it can ask for a newer one."""
    for name in ("setup.py", "system_packages.py", "__init__.py"):
        ast.parse((ROOT / "devtools" / name).read_bytes(), feature_version=(3, 6))
