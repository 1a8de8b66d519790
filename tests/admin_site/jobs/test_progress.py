"""Output and results, as computers tell them: in order, once, late or twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin_site.computers.models import Computer
from admin_site.jobs.models import Job, OutputChunk
from admin_site.jobs.progress import (
    RUNNING_LEASE,
    OutputGap,
    end_overdue_jobs,
    take_output,
    take_result,
)
from admin_site.jobs.selectors import output_of_job
from admin_site.jobs.states import JobStatus, RunStatus
from client_agent.protocol import limits
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.jobs import EndReason, OutputRequest, ResultRequest
from tests.admin_site.backend_objects import (
    NOW,
    make_computer,
    make_run,
    only_job,
)
from tests.admin_site.jobs.conftest import Bench

MINUTE = timedelta(minutes=1)


def _output(
    job: Job,
    offset: int,
    data: bytes,
    *,
    now: datetime = NOW,
    computer: Computer | None = None,
    **changes: Any,
) -> int:
    request = {"lease_id": job.lease_id, "offset": offset, "data": data, **changes}
    return take_output(
        computer=computer or job.computer,
        job_id=job.pk,
        request=OutputRequest(**request),
        now=now,
    )


def _result(
    job: Job,
    reason: EndReason = EndReason.EXIT,
    *,
    now: datetime = NOW,
    computer: Computer | None = None,
    **fields: Any,
) -> Job:
    request = {"lease_id": job.lease_id, "finished_at": NOW, "reason": reason, **fields}
    take_result(
        computer=computer or job.computer,
        job_id=job.pk,
        request=ResultRequest(**request),
        now=now,
    )
    return only_job(job.run)


def _stored(job: Job) -> bytes:
    return output_of_job(job, offset=0, at_most=limits.OUTPUT_STORED_BYTES)


# --- output -------------------------------------------------------------------------


def test_the_first_sign_of_life_starts_the_job(bench: Bench) -> None:
    job = bench.leased()
    assert _output(job, 0, b"", now=NOW + MINUTE) == 0
    job.refresh_from_db()
    assert (job.status, job.started_at) == ("running", NOW + MINUTE)
    assert job.leased_until == NOW + MINUTE + RUNNING_LEASE
    assert _output(job, 0, b"", now=NOW + 9 * MINUTE) == 0
    job.refresh_from_db()
    assert job.started_at == NOW + MINUTE
    assert job.leased_until == NOW + 9 * MINUTE + RUNNING_LEASE
    assert not OutputChunk.objects.exists()


def test_a_repeated_piece_is_ignored_and_an_overlap_continued(bench: Bench) -> None:
    job = bench.leased()
    assert _output(job, 0, b"abc") == 3
    assert _output(job, 0, b"abc") == 3
    assert _output(job, 0, b"ab") == 3
    assert _output(job, 1, b"XXdef") == 6
    assert _output(job, 2, b"") == 6
    assert _stored(job) == b"abcdef"


def test_a_gap_says_what_is_wanted_and_stores_nothing(bench: Bench) -> None:
    job = bench.leased()
    _output(job, 0, b"abc")
    with pytest.raises(OutputGap) as caught:
        _output(job, 4, b"x")
    assert (caught.value.offset, caught.value.code) == (3, ErrorCode.OUTPUT_GAP)
    assert _stored(job) == b"abc"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), whole=st.binary(min_size=1, max_size=40))
def test_whatever_is_lost_or_repeated_the_whole_is_stored_once(
    bench: Bench, data: st.DataObject, whole: bytes
) -> None:
    job = bench.leased()
    stored = 0
    while stored < len(whole):
        start = data.draw(st.integers(0, stored))
        end = data.draw(st.integers(start, len(whole)))
        stored = _output(job, start, whole[start:end])
        if data.draw(st.booleans()):
            assert _output(job, start, whole[start:end]) == stored
        if end == start and stored < len(whole):
            stored = _output(job, stored, whole[stored : stored + 1])
    assert _stored(job) == whole
    cut = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, len(whole)))
    piece = output_of_job(job, offset=cut, at_most=length)
    assert piece == whole[cut : cut + length]


def test_output_is_stored_up_to_the_cap_to_the_byte(bench: Bench) -> None:
    job = bench.leased()
    chunk = b"x" * limits.OUTPUT_CHUNK_BYTES
    stored = 0
    while limits.OUTPUT_STORED_BYTES - stored >= len(chunk):
        stored = _output(job, stored, chunk)
    rest = limits.OUTPUT_STORED_BYTES - stored
    with pytest.raises(ProtocolError) as caught:
        _output(job, stored, b"y" * (rest + 1))
    assert caught.value.code is ErrorCode.OUTPUT_TOO_LONG
    assert _output(job, stored, b"y" * rest) == limits.OUTPUT_STORED_BYTES
    with pytest.raises(ProtocolError):
        _output(job, limits.OUTPUT_STORED_BYTES, b"z")
    assert _output(job, limits.OUTPUT_STORED_BYTES - 1, b"y") == stored + rest


def test_binary_rubbish_is_stored_as_it_came(bench: Bench) -> None:
    job = bench.leased()
    rubbish = bytes(range(256)) * 8
    _output(job, 0, rubbish)
    assert _stored(job) == rubbish


def test_output_after_the_result_is_kept_and_wakes_nothing(bench: Bench) -> None:
    job = bench.leased()
    _output(job, 0, b"abc")
    ended = _result(job, exit_status=0)
    assert _output(job, 3, b"def", now=NOW + MINUTE) == 6
    job.refresh_from_db()
    assert (job.status, job.leased_until) == ("succeeded", ended.leased_until)
    assert job.finished_at == ended.finished_at
    assert _stored(job) == b"abcdef"


def test_jobs_of_a_month_share_a_partition_and_months_are_apart(bench: Bench) -> None:
    for moment in (
        datetime(2026, 12, 31, 23, 59, 59, tzinfo=NOW.tzinfo),
        datetime(2027, 1, 1, 0, 0, tzinfo=NOW.tzinfo),
        datetime(2028, 2, 29, 12, 0, tzinfo=NOW.tzinfo),
    ):
        run = make_run(bench.norrby, [bench.computer], bench.script, now=moment)
        job = only_job(run)
        job.lease_id, job.status = uuid4(), JobStatus.LEASED
        job.save()
        assert _output(job, 0, b"output", now=moment) == 6
        assert _stored(job) == b"output"


# --- results ------------------------------------------------------------------------


@pytest.mark.parametrize("has_started", [False, True])
@pytest.mark.parametrize(
    ("reason", "fields", "status"),
    [
        (EndReason.EXIT, {"exit_status": 0}, "succeeded"),
        (EndReason.EXIT, {"exit_status": 3}, "failed"),
        (EndReason.EXIT, {"exit_status": -9}, "failed"),
        (EndReason.EXIT, {}, "failed"),
        (EndReason.TIMEOUT, {}, "timed_out"),
        (EndReason.CANCELLED, {}, "cancelled"),
        (EndReason.REFUSED, {"code": "signature-invalid"}, "failed"),
        (EndReason.LOST, {"code": "power-cut"}, "lost"),
    ],
)
def test_each_reason_ends_the_job(
    bench: Bench,
    reason: EndReason,
    fields: dict[str, Any],
    status: str,
    has_started: bool,
) -> None:
    job = bench.leased()
    if has_started:
        _output(job, 0, b"")
    later = NOW + MINUTE
    ended = _result(job, reason, fields={"disks": 2}, now=later, **fields)
    assert (ended.status, ended.reason) == (status, reason.value)
    assert ended.exit_status == fields.get("exit_status")
    assert ended.code == fields.get("code", "")
    assert ended.fields == {"disks": 2}
    assert ended.finished_at == later
    assert (ended.started_at is not None) == has_started
    ended.run.refresh_from_db()
    assert (ended.run.status, ended.run.finished_at) == ("done", later)


def test_a_job_that_told_nothing_until_its_end_has_started(bench: Bench) -> None:
    job = bench.leased()
    ended = _result(job, exit_status=0, started_at=NOW - MINUTE, now=NOW + MINUTE)
    assert ended.started_at == NOW + MINUTE


@pytest.mark.parametrize("reason", list(EndReason))
def test_a_repeated_result_changes_nothing(bench: Bench, reason: EndReason) -> None:
    job = bench.leased()
    first = _result(job, EndReason.EXIT, exit_status=0)
    again = _result(job, reason, exit_status=7, code="other", now=NOW + MINUTE)
    assert _contents(again) == _contents(first)


def _contents(job: Job) -> dict[str, Any]:
    return {field.name: getattr(job, field.attname) for field in job._meta.fields}


def test_a_silent_job_is_lost_until_it_tells_what_became_of_it(bench: Bench) -> None:
    job = bench.leased()
    _output(job, 0, b"")
    end_overdue_jobs(organisation_id=bench.norrby.id, now=NOW + RUNNING_LEASE - MINUTE)
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING
    gone = NOW + RUNNING_LEASE
    end_overdue_jobs(organisation_id=bench.norrby.id, now=gone)
    job.refresh_from_db()
    assert (job.status, job.finished_at) == ("lost", gone)
    job.run.refresh_from_db()
    assert (job.run.status, job.run.finished_at) == (RunStatus.DONE, gone)
    late = _result(job, exit_status=0, now=gone + MINUTE)
    assert (late.status, late.finished_at) == ("succeeded", gone + MINUTE)
    late.run.refresh_from_db()
    assert late.run.finished_at == gone
    again = _result(job, EndReason.LOST, now=gone + 2 * MINUTE)
    assert again.status == "succeeded"


def test_a_job_told_lost_twice_is_lost_once(bench: Bench) -> None:
    job = bench.leased()
    first = _result(job, EndReason.LOST, code="journal-lost")
    again = _result(job, EndReason.LOST, code="other", now=NOW + MINUTE)
    assert _contents(again) == _contents(first)


def test_a_run_is_done_when_its_last_job_ends(bench: Bench) -> None:
    other, _device = make_computer(bench.norrby, "pc-2")
    run = make_run(bench.norrby, [bench.computer, other], bench.script, now=NOW)
    jobs = list(Job.objects.filter(run=run))
    for minutes, job in enumerate(jobs):
        run.refresh_from_db()
        assert (run.status, run.finished_at) == (RunStatus.ROLLING, None)
        job.lease_id, job.status = uuid4(), JobStatus.LEASED
        job.save()
        take_result(
            computer=job.computer,
            job_id=job.pk,
            request=ResultRequest(
                lease_id=job.lease_id, reason=EndReason.EXIT, finished_at=NOW
            ),
            now=NOW + minutes * MINUTE,
        )
    run.refresh_from_db()
    assert (run.status, run.finished_at) == (RunStatus.DONE, NOW + MINUTE)


# --- whose job ----------------------------------------------------------------------


@pytest.mark.parametrize("tell", [_output, _result], ids=["output", "result"])
def test_only_the_computer_with_the_lease_is_heard(bench: Bench, tell: Any) -> None:
    job = bench.leased()
    other, _device = make_computer(bench.norrby, "pc-2")
    arguments = (0, b"x") if tell is _output else ()
    for changes, code in (
        ({"computer": other}, ErrorCode.JOB_UNKNOWN),
        ({"lease_id": uuid4()}, ErrorCode.LEASE_LOST),
    ):
        with pytest.raises(ProtocolError) as caught:
            tell(job, *arguments, **changes)
        assert caught.value.code is code
    unknown = Job(pk=uuid4(), lease_id=job.lease_id, computer=job.computer)
    with pytest.raises(ProtocolError) as caught:
        tell(unknown, *arguments)
    assert caught.value.code is ErrorCode.JOB_UNKNOWN
    job.refresh_from_db()
    assert (job.status, job.output_bytes) == ("leased", 0)


def test_a_lease_that_was_taken_back_is_lost(bench: Bench) -> None:
    job = bench.leased()
    end_overdue_jobs(organisation_id=bench.norrby.id, now=NOW + 3 * MINUTE)
    for tell in (lambda: _output(job, 0, b"x"), lambda: _result(job, exit_status=0)):
        with pytest.raises(ProtocolError) as caught:
            tell()
        assert caught.value.code is ErrorCode.LEASE_LOST
    assert only_job(job.run).status == JobStatus.QUEUED
