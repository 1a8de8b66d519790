"""Who may import whom, beyond the layers that import-linter knows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from devtools import checks
from devtools.source_tree import ROOT, imports_of, is_within, python_files

# What the portal may know of the agent: the protocol, and the settings' schemas.
SHARED = re.compile(
    r"client_agent\.(protocol(\..+)?|settings|settings\.[A-Za-z_]\w*"
    r"|settings\.\w+\.schema(\.\w+)?)"
)
HANDLER = re.compile(r"client_agent\.settings\.(handling|\w+\.handler)(\.|$)")


def offences(paths: list[Path], *forbidden: str) -> list[str]:
    return [
        f"{path}:{line} imports {name}"
        for path in paths
        for name, line in imports_of(path)
        if is_within(name, *forbidden)
    ]


def agent_files(*, but: tuple[str, ...]) -> list[Path]:
    return [
        path
        for path in python_files("client_agent")
        if not str(path).startswith(tuple(f"client_agent/{name}" for name in but))
    ]


def test_layers_and_programs() -> None:
    done = subprocess.run(
        checks.imports()[0], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert "Contracts: " in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr


def test_portal_knows_only_protocol_and_schemas_of_the_agent() -> None:
    assert [
        f"{path}:{line} imports {name}"
        for path in python_files("admin_site")
        for name, line in imports_of(path)
        if is_within(name, "client_agent") and not SHARED.fullmatch(name)
    ] == []


def test_schemas_load_nothing_of_the_agent_itself() -> None:
    """What the portal imports must not bring in handlers or the operating system."""
    schemas = [
        ".".join(path.with_suffix("").parts)
        for path in python_files("client_agent")
        if path.parts[1] == "settings" and path.name == "schema.py"
    ]
    assert schemas
    code = (
        "import importlib, sys\n"
        f"for name in ['client_agent.settings', *{schemas!r}]:\n"
        "    importlib.import_module(name)\n"
        "print(*(name for name in sys.modules if name.startswith('client_agent.')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded = done.stdout.split()
    assert set(schemas) <= set(loaded)
    unwanted = ("client_agent.host", "client_agent.link", "client_agent.jobs")
    assert [
        name for name in loaded if HANDLER.match(name) or is_within(name, *unwanted)
    ] == []


def test_protocol_imports_nothing_else_of_ours() -> None:
    assert [
        f"{path}:{line} imports {name}"
        for path in python_files("client_agent")
        if path.parts[1] == "protocol"
        for name, line in imports_of(path)
        if is_within(name, "client_agent", "admin_site", "scripts", "devtools")
        and not is_within(name, "client_agent.protocol")
    ] == []


@pytest.mark.parametrize(
    ("modules", "owners"),
    [
        (("pydbus", "gi", "dbus"), ("host/",)),
        (("subprocess", "pty", "asyncio.subprocess"), ("host/", "scriptlib/")),
        (
            ("requests", "urllib3", "http.client", "urllib.request"),
            ("link/transport", "link/probe"),
        ),
        (("websocket",), ("link/socket",)),
        (("django", "admin_site", "devtools"), ()),
        (("client_agent.link",), ("link/",)),
    ],
)
def test_only_owners_import(modules: tuple[str, ...], owners: tuple[str, ...]) -> None:
    assert offences(agent_files(but=owners), *modules) == []


def test_only_host_starts_processes() -> None:
    """Also not through os or asyncio, which the imports do not show."""
    start = re.compile(
        r"\bos\.(system|popen|fork|forkpty|posix_spawnp?|exec[vl]\w*|spawn\w+)\("
        r"|\bcreate_subprocess_(exec|shell)\("
    )
    assert [
        f"{path}:{number}: {line.strip()}"
        for path in agent_files(but=("host/", "scriptlib/"))
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
        if start.search(line)
    ] == []


def test_link_knows_neither_the_root_half_nor_the_operating_system() -> None:
    link = [path for path in python_files("client_agent") if path.parts[1] == "link"]
    root_half = ("verify", "reconcile", "jobs", "session", "host", "facts", "settings")
    assert link
    assert offences(link, *(f"client_agent.{name}" for name in root_half)) == []
