"""``kill -9`` of either half at each step of a job: once, or reported lost."""

import json
import os
from pathlib import Path

import pytest

from client_agent.protocol.jobs import EndReason
from tests.fakes.agent import AgentProcesses, eventually
from tests.fakes.portal import FakePortal

COUNT = b'#!/bin/sh\necho run >> "$CITIZENPC_ROOT/count"\necho counted\n'
WAITING = COUNT + b'read go < "$CITIZENPC_ROOT/go"\n'


@pytest.fixture
def go(managed: AgentProcesses) -> Path:
    """Scripts wait until something is written here."""
    fifo = managed.paths.root / "go"
    os.mkfifo(fifo)
    return fifo


def runs(agent: AgentProcesses) -> int:
    path = agent.paths.root / "count"
    return path.read_text().count("run") if path.exists() else 0


def rewrite_journal(agent: AgentProcesses, **changes: object) -> None:
    """As if the kill had come a moment earlier or later, or after a restart."""
    (path,) = agent.paths.journal_dir.glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))


@pytest.mark.parametrize("step", ["leased", "fetched"])
def test_root_half_before_the_start(
    portal: FakePortal, managed: AgentProcesses, step: str
) -> None:
    held = portal.hold("GET /blobs/")
    job = portal.run(COUNT)
    assert held.seen.wait(20)
    eventually(lambda: [e["step"] for e in managed.journal()] == ["leased"])
    managed.kill_root_half()
    portal.release(held)
    rewrite_journal(managed, step=step)
    managed.start_root_half()
    assert portal.result_of(job).exit_status == 0
    assert runs(managed) == 1


def test_root_half_while_it_runs_is_lost(
    portal: FakePortal, managed: AgentProcesses, go: Path
) -> None:
    job = portal.run(WAITING)
    portal.wait_for(lambda: job.output)
    managed.kill_root_half()
    managed.start_root_half()
    result = portal.result_of(job)
    assert (result.reason, result.code) == (EndReason.LOST, "agent-restarted")
    assert runs(managed) == 1
    portal.wait_for(lambda: portal.events("job-lost"))


def test_idempotent_script_runs_again(
    portal: FakePortal, managed: AgentProcesses, go: Path
) -> None:
    job = portal.run(WAITING, is_idempotent=True)
    portal.wait_for(lambda: bytes(job.output) == b"counted\n")
    managed.kill_root_half()
    managed.start_root_half()
    portal.wait_for(lambda: bytes(job.output) == b"counted\ncounted\n")
    go.write_text("go\n")
    result = portal.result_of(job)
    assert (result.reason, result.exit_status) == (EndReason.EXIT, 0)
    assert result.output_bytes == len(job.output)
    assert runs(managed) == 2


@pytest.mark.parametrize(
    ("boot_id", "expected"),
    [
        ("another boot", (EndReason.EXIT, 0, "")),
        (None, (EndReason.LOST, None, "agent-restarted")),
    ],
)
def test_script_that_restarts_is_confirmed_by_the_next_boot(
    portal: FakePortal,
    managed: AgentProcesses,
    go: Path,
    boot_id: str | None,
    expected: tuple[EndReason, int | None, str],
) -> None:
    job = portal.run(WAITING, continues_after_restart=True)
    portal.wait_for(lambda: job.output)
    managed.kill_root_half()
    if boot_id is not None:
        rewrite_journal(managed, boot_id=boot_id)
    managed.start_root_half()
    result = portal.result_of(job)
    assert (result.reason, result.exit_status, result.code) == expected
    assert runs(managed) == 1


def test_script_that_restarts_reports_before_the_agent_stops(
    portal: FakePortal, managed: AgentProcesses, go: Path
) -> None:
    job = portal.run(
        WAITING + b"sleep 0.3\necho restarting\n", continues_after_restart=True
    )
    portal.wait_for(lambda: job.output)
    go.write_text("go\n")
    assert managed.stop() < 5
    assert job.result is not None
    assert job.result.exit_status == 0
    assert job.output.endswith(b"restarting\n")


def test_root_half_after_the_end(portal: FakePortal, managed: AgentProcesses) -> None:
    held = portal.hold("POST /jobs/.*/result")
    job = portal.run(COUNT)
    assert held.seen.wait(20)
    eventually(lambda: [e["step"] for e in managed.journal()] == ["finished"])
    managed.kill_root_half()
    portal.release(held)
    managed.start_root_half()
    assert portal.result_of(job).exit_status == 0
    assert runs(managed) == 1
    assert bytes(job.output) == b"counted\n"


def test_root_half_with_output_that_did_not_arrive(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    fault = portal.lose("POST /jobs/.*/output", times=1000)
    job = portal.run(COUNT)
    eventually(lambda: [e["step"] for e in managed.journal()] == ["finished"])
    managed.kill_root_half()
    with portal.changed:
        fault.times, job.output[:] = 0, b"coun"
    managed.start_root_half()
    assert portal.result_of(job).exit_status == 0
    assert bytes(job.output) == b"counted\n"


def test_reported_job_is_never_run_again(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    job = portal.run(COUNT)
    portal.result_of(job)
    eventually(lambda: [e["step"] for e in managed.journal()] == ["reported"])
    managed.kill_root_half()
    managed.start_root_half()
    with portal.changed:  # a portal restored from a backup of before
        job.results.clear()
    portal.requeue(job)
    assert portal.result_of(job).exit_status == 0
    assert runs(managed) == 1


def test_damaged_journal_ends_as_lost(
    portal: FakePortal, managed: AgentProcesses, go: Path
) -> None:
    job = portal.run(WAITING)
    portal.wait_for(lambda: job.output)
    managed.kill_root_half()
    (path,) = managed.paths.journal_dir.glob("*.json")
    path.write_bytes(path.read_bytes()[:50])
    managed.start_root_half()
    portal.wait_for(lambda: portal.events("journal-damaged"))
    portal.requeue(job)
    result = portal.result_of(job)
    assert (result.reason, result.code) == (EndReason.LOST, "journal-damaged")
    assert runs(managed) == 1
    go.touch()  # the script, of which nobody knows any more, may end


@pytest.mark.parametrize("path", ["jobs/lease", "blobs/", "output", "result"])
def test_link_at_each_step(
    portal: FakePortal, managed: AgentProcesses, path: str
) -> None:
    held = portal.hold(path)
    job = portal.run(COUNT)
    assert held.seen.wait(20)
    managed.kill_link()
    portal.release(held)
    managed.start_link()
    assert portal.result_of(job, seconds=60).exit_status == 0
    assert bytes(job.output) == b"counted\n"
    assert runs(managed) == 1
    assert len({result.lease_id for result in job.results}) == 1
