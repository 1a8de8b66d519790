"""Handing jobs out: to one computer, once, in order, within their time."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from admin_site.computers.models import Computer
from admin_site.core.errors import TransitionRefused
from admin_site.jobs.models import Job
from admin_site.jobs.progress import (
    LEASE,
    end_overdue_jobs,
    lease_jobs,
    move_job,
)
from admin_site.jobs.services import JOB_LIFETIME, cancel_run
from admin_site.jobs.states import JobStatus, RunStatus
from client_agent.protocol.jobs import LeaseRequest
from tests.admin_site.backend_objects import (
    NOW,
    call_all,
    make_computer,
    make_run,
    make_script,
    make_tenant,
    only_job,
)
from tests.admin_site.jobs.conftest import Bench

MINUTE = timedelta(minutes=1)


def _lease(
    computer: Computer,
    *,
    request_id: UUID | None = None,
    limit: int = 4,
    now: datetime = NOW,
) -> list[Job]:
    request = LeaseRequest(request_id=request_id or uuid4(), limit=limit)
    return list(lease_jobs(computer=computer, request=request, now=now))


def test_jobs_are_handed_out_oldest_first_and_not_more_than_asked(
    bench: Bench,
) -> None:
    runs = [
        make_run(bench.norrby, [bench.computer], bench.script, now=NOW + i * MINUTE)
        for i in (2, 0, 1)
    ]
    later = NOW + 5 * MINUTE
    first = _lease(bench.computer, limit=2, now=later)
    assert [job.run_id for job in first] == [runs[1].pk, runs[2].pk]
    assert all(job.status == JobStatus.LEASED for job in first)
    assert all(job.leased_until == later + LEASE for job in first)
    assert len({job.lease_id for job in first}) == 2
    second = _lease(bench.computer, limit=2, now=later)
    assert [job.run_id for job in second] == [runs[0].pk]
    assert _lease(bench.computer, now=later) == []


def test_the_same_request_gets_the_same_answer_while_the_leases_live(
    bench: Bench,
) -> None:
    for minutes in (2, 0, 1):
        when = NOW + minutes * MINUTE
        make_run(bench.norrby, [bench.computer], bench.script, now=when)
    request, now = uuid4(), NOW + 5 * MINUTE
    first = _lease(bench.computer, request_id=request, now=now)
    again = _lease(bench.computer, request_id=request, now=now + LEASE - MINUTE)
    assert [(j.pk, j.lease_id) for j in again] == [(j.pk, j.lease_id) for j in first]
    assert _lease(bench.computer, now=now) == []


def test_the_same_request_after_its_leases_gets_new_ones(bench: Bench) -> None:
    bench.run()
    request = uuid4()
    (first,) = _lease(bench.computer, request_id=request)
    (again,) = _lease(bench.computer, request_id=request, now=NOW + LEASE)
    assert again.pk == first.pk
    assert again.lease_id != first.lease_id


def test_a_lease_that_runs_out_goes_back_to_the_queue(bench: Bench) -> None:
    job = bench.leased()
    end_overdue_jobs(organisation_id=bench.norrby.id, now=NOW + LEASE - MINUTE)
    job.refresh_from_db()
    assert job.status == JobStatus.LEASED
    end_overdue_jobs(organisation_id=bench.norrby.id, now=NOW + LEASE)
    job.refresh_from_db()
    assert job.status == JobStatus.QUEUED
    assert (job.lease_id, job.leased_until, job.lease_request_id) == (None, None, None)
    assert job.finished_at is None


def test_another_lease_request_takes_back_what_ran_out(bench: Bench) -> None:
    job = bench.leased()
    assert _lease(bench.computer, now=NOW + LEASE - MINUTE) == []
    (again,) = _lease(bench.computer, now=NOW + LEASE)
    assert again.pk == job.pk
    assert again.lease_id != job.lease_id


def test_a_cancelled_job_does_not_come_back_from_a_lease_that_ran_out(
    bench: Bench,
) -> None:
    """The computer may never have got it; then nobody else would end it."""
    for take_back in (
        lambda now: _lease(bench.computer, now=now),
        lambda now: end_overdue_jobs(organisation_id=bench.norrby.id, now=now),
    ):
        job = bench.leased()
        cancel_run(run=job.run, by=bench.norrby.admin, now=NOW)
        take_back(NOW + LEASE)
        job.refresh_from_db()
        assert job.status == JobStatus.CANCELLED
        assert job.finished_at == NOW + LEASE
        job.run.refresh_from_db()
        assert job.run.status == RunStatus.DONE


@pytest.mark.parametrize(
    ("age", "is_handed_out"),
    [
        (timedelta(seconds=-1), False),
        (timedelta(), True),
        (JOB_LIFETIME - MINUTE, True),
        (JOB_LIFETIME, False),
    ],
)
def test_a_job_is_handed_out_within_its_time_only(
    bench: Bench, age: timedelta, is_handed_out: bool
) -> None:
    bench.run()
    assert len(_lease(bench.computer, now=NOW + age)) == is_handed_out


def test_a_job_that_is_not_signed_yet_is_not_handed_out(bench: Bench) -> None:
    make_run(bench.norrby, [bench.computer], bench.script, now=NOW, is_signed=False)
    assert _lease(bench.computer) == []


def test_a_computer_gets_its_own_jobs_only(bench: Bench) -> None:
    other, _device = make_computer(bench.norrby, "pc-2")
    run = make_run(bench.norrby, [bench.computer, other], bench.script, now=NOW)
    (mine,) = _lease(bench.computer)
    (theirs,) = _lease(other)
    assert (mine.computer, theirs.computer) == (bench.computer, other)
    assert mine.run_id == theirs.run_id == run.pk


def test_a_locked_job_moves_by_its_table_only(bench: Bench) -> None:
    job = only_job(bench.run())
    with pytest.raises(TransitionRefused):
        move_job(job, to=JobStatus.RUNNING, now=NOW)


# --- overdue ------------------------------------------------------------------------


def test_what_nobody_fetched_in_a_week_expires(bench: Bench) -> None:
    leased, queued = bench.leased(), bench.run()
    waiting = make_run(
        bench.norrby, [bench.computer], bench.script, now=NOW, is_signed=False
    )
    end_overdue_jobs(organisation_id=bench.norrby.id, now=NOW + JOB_LIFETIME - MINUTE)
    assert only_job(waiting).status == JobStatus.WAITING
    end_overdue_jobs(organisation_id=bench.norrby.id, now=NOW + JOB_LIFETIME)
    for run in (waiting, queued, leased.run):
        job = only_job(run)
        assert (job.status, job.finished_at) == ("expired", NOW + JOB_LIFETIME)
        run.refresh_from_db()
        assert (run.status, run.finished_at) == ("done", NOW + JOB_LIFETIME)


def test_a_sweep_ends_jobs_of_its_organisation_only(bench: Bench) -> None:
    soderby = make_tenant("soderby")
    run = bench.run()
    with soderby.scope():
        end_overdue_jobs(organisation_id=soderby.id, now=NOW + 2 * JOB_LIFETIME)
    assert only_job(run).status == JobStatus.QUEUED


# --- two at once --------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_same_request", [False, True])
def test_nothing_is_handed_out_twice(is_same_request: bool) -> None:
    norrby = make_tenant()
    computer, _device = make_computer(norrby)
    script = make_script()
    for _each in range(6):
        make_run(norrby, [computer], script, now=NOW)
    same = uuid4()

    def lease() -> list[tuple[UUID, UUID | None]]:
        with norrby.scope():
            request_id = same if is_same_request else uuid4()
            jobs = _lease(computer, request_id=request_id, limit=4)
            return [(job.pk, job.lease_id) for job in jobs]

    answers = call_all([lease, lease, lease])
    handed_out = [pair for answer in answers for pair in answer]
    leases = dict(handed_out)
    assert len(handed_out) == len(set(leases.items()))
    assert len(leases) == len(set(leases.values()))
    with norrby.scope():
        held = Job.objects.filter(status=JobStatus.LEASED)
        assert leases == dict(held.values_list("pk", "lease_id"))
