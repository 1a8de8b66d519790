"""What the two processes are made of: imports, memory, units."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.agent import REPOSITORY, AgentProcesses
from tests.fakes.portal import FakePortal

UNITS = REPOSITORY / "client_agent" / "systemd"
PSS_BYTES = 70 * 1024 * 1024


def modules_of(module: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules, sep='\\n')"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


def test_root_half_has_no_http() -> None:
    modules = modules_of("client_agent.cli")
    assert "client_agent.loop" in modules
    network = {"requests", "websocket", "urllib3", "http.client", "client_agent.link"}
    assert not modules & network


def test_link_has_none_of_what_acts() -> None:
    modules = modules_of("client_agent.link.__main__")
    acting = ("loop", "jobs", "settings", "reconcile", "facts", "spool", "enrol")
    assert not {m for m in modules if m.startswith("client_agent.")} & {
        f"client_agent.{name}" for name in acting
    }
    assert not {"psutil", "pydbus", "gi"} & modules


def pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Pss")


def test_both_halves_fit_into_seventy_megabytes(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    job = portal.run(b"#!/bin/sh\nhead -c 5000000 /dev/zero | tr '\\0' x\n")
    portal.result_of(job)
    portal.wait_for(lambda: portal.facts)
    assert managed.root_half is not None
    assert managed.link is not None
    sizes = [pss_bytes(p.pid) for p in (managed.root_half, managed.link)]
    assert sum(sizes) < PSS_BYTES, sizes


def systemd_analyze() -> str | None:
    return shutil.which("systemd-analyze")


@pytest.mark.skipif(systemd_analyze() is None, reason="could not run here: systemd")
@pytest.mark.parametrize("unit", ["citizenpc-agent", "citizenpc-link"])
def test_unit_is_what_systemd_understands(tmp_path: Path, unit: str) -> None:
    """With commands that exist here; every other line as it is installed."""
    for path in UNITS.glob("*.service"):
        text = path.read_text().replace("/usr/bin/citizenpc-", "/bin/true citizenpc-")
        (tmp_path / path.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / f"{unit}.service")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if "citizenpc" in line]
    assert done.returncode == 0, done.stderr
    assert ours == []


def test_link_unit_gives_nothing_away() -> None:
    lines = (UNITS / "citizenpc-link.service").read_text().splitlines()
    for wanted in (
        "User=citizenpc-link",
        "CapabilityBoundingSet=",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    ):
        assert wanted in lines


def test_agent_unit_has_no_network() -> None:
    lines = (UNITS / "citizenpc-agent.service").read_text().splitlines()
    assert "RestrictAddressFamilies=AF_UNIX AF_NETLINK" in lines
    assert "IPAddressDeny=any" in lines
