"""Jobs of a real agent against a real portal's double."""

import hashlib
import os
import resource
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from client_agent.protocol.errors import ErrorCode
from client_agent.protocol.jobs import EndReason, Risk, RunAs
from client_agent.protocol.reports import OrderRecord
from client_agent.protocol.sealing import seal
from client_agent.protocol.signed import Signed
from client_agent.protocol.socket import Hint
from tests.fakes.agent import AgentProcesses
from tests.fakes.portal import FakePortal, PortalJob

COUNT = b'#!/bin/sh\necho run >> "$CITIZENPC_ROOT/count"\necho counted\n'


def runs(agent: AgentProcesses) -> int:
    path = agent.paths.root / "count"
    return path.read_text().count("run") if path.exists() else 0


def test_output_is_live_and_result_has_fields(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    fifo = managed.paths.root / "go"
    os.mkfifo(fifo)
    job = portal.run(
        b'#!/bin/sh\necho first\nread go < "$CITIZENPC_ROOT/go"\ncat\n'
        b"echo\necho '{\"ok\": true}'\nexit 3\n",
        arguments={"name": "å", "count": 2},
    )
    portal.wait_for(lambda: bytes(job.output) == b"first\n")
    fifo.write_text("go\n")
    result = portal.result_of(job)
    assert (result.reason, result.exit_status) == (EndReason.EXIT, 3)
    assert result.fields == {"ok": True}
    whole = 'first\n{"count":2,"name":"å"}\n{"ok": true}\n'.encode()
    assert bytes(job.output) == whole
    assert result.output_bytes == len(whole)
    assert result.started_at is not None
    assert result.started_at <= result.finished_at


def test_environment_is_minimal(portal: FakePortal, managed: AgentProcesses) -> None:
    job = portal.run(
        b"#!/usr/bin/env -S python3 -S\nimport os\nprint(sorted(os.environ))\n"
    )
    portal.result_of(job)
    names = set(eval(job.output.decode()))  # noqa: S307 - our own script's list
    assert {"PATH", "LANG", "CITIZENPC_ROOT"} <= names
    assert names <= {
        "PATH",
        "LANG",
        "LC_ALL",
        "CITIZENPC_ROOT",
        "PYTHONPATH",
        "LC_CTYPE",
    }


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (b"", "script-empty"),
        (b"echo no shebang\n", "script-without-shebang"),
        (b"\x00\x01binary", "script-without-shebang"),
        (b"#!/nowhere/interpreter\n", "interpreter-missing"),
        (b"\x7fELFnot really", "format-unknown"),
    ],
)
def test_unusable_scripts_are_refused(
    portal: FakePortal, managed: AgentProcesses, script: bytes, code: str
) -> None:
    result = portal.result_of(portal.run(script))
    assert (result.reason, result.code) == (EndReason.REFUSED, code)


def test_ten_megabyte_script_runs(portal: FakePortal, managed: AgentProcesses) -> None:
    script = b"#!/bin/sh\necho big\nexit 0\n" + b"# padding\n" * (1024 * 1024)
    job = portal.run(script)
    assert portal.result_of(job).exit_status == 0
    assert bytes(job.output) == b"big\n"
    cached = managed.paths.blob_dir / hashlib.sha256(script).hexdigest()
    assert cached.stat().st_size == len(script)


def test_fifty_megabytes_of_output_are_cut(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    job = portal.run(
        b"#!/bin/sh\necho begin\nhead -c 52428800 /dev/zero | tr '\\0' x\n"
        b"echo\necho end\n"
    )
    result = portal.result_of(job, seconds=60)
    assert result.exit_status == 0
    assert job.output.startswith(b"begin\nxxxx")
    assert job.output.endswith(b"xxxx\nend\n")
    assert b" bytes cut ...]" in job.output
    assert len(job.output) == result.output_bytes <= 2 * 1024 * 1024 + 1024


def test_binary_rubbish_becomes_text(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    job = portal.run(b"#!/bin/sh\nhead -c 100000 /dev/urandom\nprintf 'a\\000\\377b'\n")
    portal.result_of(job)
    text = job.output.decode("utf-8")
    assert "\0" not in text
    assert text.endswith("a\\x00\\xffb")


def test_secrets_reach_the_script_and_nobody_else(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    assert portal.claim is not None
    number, secret = uuid4(), b"correct horse battery"
    sealed = seal(
        secret,
        to=portal.claim.seal_key,
        computer=portal.computer,
        place=f"job:{number}:password",
    )
    job = portal.run(
        b'#!/bin/sh\ncd "$CITIZENPC_SECRETS_DIR"\nstat -c %a password\n'
        b"sha256sum < password\ncat password\necho\n"
        b'printf correct; sleep 0.3; printf " horse battery\\n"\n',
        id=number,
        secrets={"password": sealed},
    )
    portal.result_of(job)
    lines = job.output.decode().splitlines()
    assert lines[0] == "400"
    assert lines[1].startswith(hashlib.sha256(secret).hexdigest())
    assert lines[2:] == ["******", "******"]
    assert not list(managed.paths.secrets_dir.glob("*"))


def test_moved_secret_is_refused(portal: FakePortal, managed: AgentProcesses) -> None:
    assert portal.claim is not None
    sealed = seal(
        b"x" * 20,
        to=portal.claim.seal_key,
        computer=portal.computer,
        place=f"job:{uuid4()}:password",
    )
    result = portal.result_of(portal.run(COUNT, secrets={"password": sealed}))
    assert result.code == ErrorCode.SEAL_INVALID.value
    assert runs(managed) == 0


def test_limit_ends_the_whole_group(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    job = portal.run(
        b"#!/bin/sh\ntrap '' TERM\nsleep 600 &\necho $! > \"$CITIZENPC_ROOT/pid\"\n"
        b"echo on\nwait\nsleep 600\n",
        limit_seconds=1,
    )
    result = portal.result_of(job)
    assert (result.reason, result.exit_status) == (EndReason.TIMEOUT, None)
    pid = int((managed.paths.root / "pid").read_text())
    assert not _is_running(pid)


def test_nothing_of_a_job_outlives_it(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    job = portal.run(
        b'#!/bin/sh\nsleep 600 &\necho $! > "$CITIZENPC_ROOT/pid"\nexit 0\n'
    )
    assert portal.result_of(job).exit_status == 0
    assert not _is_running(int((managed.paths.root / "pid").read_text()))


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_cancel_while_it_runs(portal: FakePortal, managed: AgentProcesses) -> None:
    job = portal.run(b"#!/bin/sh\necho on\nsleep 600\n")
    portal.wait_for(lambda: job.output)
    portal.cancel(job)
    assert portal.result_of(job).reason is EndReason.CANCELLED
    portal.wait_for(lambda: any(r.order == 1 for r in _orders(portal)))


def test_cancel_before_it_starts(portal: FakePortal, managed: AgentProcesses) -> None:
    held = portal.hold("GET /blobs/")
    job = portal.run(COUNT)
    assert held.seen.wait(20)
    portal.cancel(job)
    result = portal.result_of(job)
    assert (result.reason, result.started_at) == (EndReason.CANCELLED, None)
    portal.release(held)
    assert runs(managed) == 0


def _orders(portal: FakePortal) -> list[OrderRecord]:
    with portal.changed:
        records = [record for stream in portal.streams.values() for record in stream]
    return [record for record in records if isinstance(record, OrderRecord)]


def test_one_change_at_a_time_and_readings_beside(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    os.mkfifo(managed.paths.root / "go")
    slow = portal.run(
        b'#!/bin/sh\necho on\nread go < "$CITIZENPC_ROOT/go"\n'
        b'test ! -e "$CITIZENPC_ROOT/count"\n'
    )
    portal.wait_for(lambda: slow.output)
    second = portal.run(COUNT)
    reading = portal.run(b"#!/bin/sh\necho read\n", risk=Risk.READS)
    assert portal.result_of(reading).exit_status == 0
    portal.wait_for(lambda: second.lease_id)
    assert runs(managed) == 0
    (managed.paths.root / "go").write_text("go\n")
    assert portal.result_of(slow).exit_status == 0
    assert portal.result_of(second).exit_status == 0


def test_many_jobs_come_in_turn(portal: FakePortal, managed: AgentProcesses) -> None:
    jobs = [portal.run(COUNT) for _ in range(10)]
    for job in jobs:
        portal.result_of(job)
    assert runs(managed) == 10


def test_lost_lease_answer_is_asked_for_again(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    lost = portal.lose("POST /jobs/lease")
    job = portal.run(COUNT)
    assert lost.seen.wait(20)
    assert portal.result_of(job).exit_status == 0
    assert runs(managed) == 1


def test_lost_lease_answer_survives_a_kill(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    lost = portal.lose("POST /jobs/lease", times=1000)
    job = portal.run(COUNT)
    assert lost.seen.wait(20)
    managed.kill_root_half()
    with portal.changed:
        lost.times = 0
    managed.start_root_half()
    assert portal.result_of(job).exit_status == 0
    assert runs(managed) == 1


@pytest.mark.parametrize("path", ["output", "result"])
def test_lost_answers_do_no_harm(
    portal: FakePortal, managed: AgentProcesses, path: str
) -> None:
    portal.lose(f"POST /jobs/.*/{path}", times=2)
    job = portal.run(COUNT)
    portal.wait_for(lambda: job.result)
    portal.wait_for(lambda: portal.count(f"/{path}") >= 3)
    assert bytes(job.output) == b"counted\n"
    assert runs(managed) == 1
    assert len({result.lease_id for result in job.results}) == 1


def test_known_job_takes_the_new_lease_and_runs_once(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    os.mkfifo(managed.paths.root / "go")
    job = portal.run(COUNT + b'read go < "$CITIZENPC_ROOT/go"\n')
    portal.wait_for(lambda: job.output)
    lost = portal.requeue(job)
    portal.wait_for(lambda: job.lease_id)
    (managed.paths.root / "go").write_text("go\n")
    result = portal.result_of(job)
    assert result.lease_id == job.lease_id != lost
    assert runs(managed) == 1


def test_reported_job_is_reported_again(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    job = portal.run(COUNT)
    portal.result_of(job)
    managed.wait_for_status(lambda s: s.jobs == 0)
    with portal.changed:  # a portal restored from a backup of before
        job.results.clear()
    portal.requeue(job)
    assert portal.result_of(job).exit_status == 0
    assert runs(managed) == 1


def test_sign_of_life_without_output(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    portal.lease_seconds = 1
    job = portal.run(b"#!/bin/sh\nsleep 2\n")
    portal.result_of(job)
    assert job.signs_of_life >= 4


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"not_after": timedelta(minutes=-5)}, ErrorCode.DOCUMENT_EXPIRED),
        ({"not_before": timedelta(minutes=5)}, ErrorCode.DOCUMENT_NOT_YET_VALID),
    ],
)
def test_job_out_of_time_is_refused(
    portal: FakePortal,
    managed: AgentProcesses,
    changes: dict[str, timedelta],
    code: ErrorCode,
) -> None:
    times = {name: portal.now() + delta for name, delta in changes.items()}
    result = portal.result_of(portal.run(COUNT, **times))
    assert (result.reason, result.code) == (EndReason.REFUSED, code.value)
    assert runs(managed) == 0


def test_citizens_cannot_be_run_as_yet(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    result = portal.result_of(portal.run(COUNT, run_as=RunAs.CITIZEN))
    assert result.code == "run-as-unavailable"


def test_forged_job_is_refused_and_told(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    job = portal.run(COUNT, not_before=portal.now() + timedelta(days=1))
    portal.result_of(job)
    forged = portal.jobs[job.document.id].signed
    payload = forged.payload.replace(
        str(job.document.id).encode(), str(uuid4()).encode()
    )
    document = job.document
    fake = PortalJob(
        document, Signed(forged.kind, payload, forged.signature, forged.key)
    )
    with portal.changed:
        portal.jobs[uuid4()] = fake
    portal.nudge(Hint.JOBS)
    portal.wait_for(lambda: portal.events("job-refused"))
    assert runs(managed) == 0


def test_wrong_blob_is_refused(portal: FakePortal, managed: AgentProcesses) -> None:
    held = portal.hold("GET /blobs/")
    job = portal.run(COUNT)
    assert held.seen.wait(20)
    with portal.changed:
        portal.blobs[job.document.script.sha256] = COUNT.replace(b"run", b"bad")
    portal.release(held)
    result = portal.result_of(job)
    assert result.code == ErrorCode.BLOB_DIGEST_WRONG.value
    assert runs(managed) == 0


def test_restart_of_the_portal_in_mid_job(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    os.mkfifo(managed.paths.root / "go")
    job = portal.run(COUNT + b'read go < "$CITIZENPC_ROOT/go"\necho more\n')
    portal.wait_for(lambda: job.output)
    fault = portal.lose("", times=1000)
    for socket in list(portal.sockets):
        socket.close()
    (managed.paths.root / "go").write_text("go\n")
    assert fault.seen.wait(20)
    with portal.changed:
        fault.times = 0
    result = portal.result_of(job, seconds=60)
    assert result.exit_status == 0
    assert bytes(job.output) == b"counted\nmore\n"


def test_first_line_comes_within_a_second(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    asked_at = time.monotonic()
    job = portal.run(b"#!/bin/sh\necho now\nsleep 1\n")
    portal.result_of(job)
    assert job.first_output_at is not None
    assert job.first_output_at - asked_at < 1


def test_full_disk_refuses_the_job_and_no_more(
    portal: FakePortal, managed: AgentProcesses
) -> None:
    """Files of the agent may not grow beyond half a mebibyte."""
    assert managed.root_half is not None
    limit = 512 * 1024
    resource.prlimit(managed.root_half.pid, resource.RLIMIT_FSIZE, (limit, limit))
    large = portal.run(b"#!/bin/sh\n" + b"# padding\n" * 100_000)
    result = portal.result_of(large)
    assert (result.reason, result.code) == (EndReason.REFUSED, "disk-full")
    assert portal.result_of(portal.run(COUNT)).exit_status == 0
    assert runs(managed) == 1
