"""How jobs go on: leases, output and results, as computers tell them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from admin_site.computers import authority
from admin_site.computers.models import Computer
from admin_site.core import publish
from admin_site.core.state_table import checked_transition
from admin_site.jobs.models import Job, OutputChunk, Run
from admin_site.jobs.states import (
    ENDED,
    JOB_TRANSITIONS,
    RUN_TRANSITIONS,
    JobStatus,
    RunStatus,
)
from client_agent.protocol import limits
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.jobs import (
    EndReason,
    LeaseRequest,
    OutputRequest,
    ResultRequest,
)
from client_agent.protocol.socket import Hint

LEASE = timedelta(minutes=2)
"""How long a computer may hold a job without having said that it started."""

RUNNING_LEASE = timedelta(minutes=15)
"""How long a running job may be silent before it is called lost."""


class OutputGap(ProtocolError):
    """Output beyond what is stored; `offset` is the one wanted."""

    def __init__(self, offset: int) -> None:
        super().__init__(ErrorCode.OUTPUT_GAP)
        self.offset = offset


def move_job(job: Job, *, to: JobStatus, now: datetime) -> None:
    """Write the new status of a locked job, with the times that follow from it.

    Raises:
        TransitionRefused: the table does not lead there.
    """
    job.status = checked_transition(
        JOB_TRANSITIONS, current=JobStatus(job.status), to=to
    )
    if to is JobStatus.RUNNING:
        job.started_at = now
    if to in ENDED:
        job.finished_at = now
    if to is JobStatus.QUEUED:
        job.lease_id = job.leased_until = job.lease_request_id = None
    job.save()


def finish_run_if_ended(run: Run, *, now: datetime) -> None:
    """Call a run done once all its jobs have ended. Locks the run."""
    locked = (
        Run.objects.for_organisation(run.organisation_id)
        .select_for_update()
        .get(pk=run.pk)
    )
    jobs = Job.objects.for_organisation(run.organisation_id).filter(run=run)
    if locked.status == RunStatus.DONE or jobs.exclude(status__in=ENDED).exists():
        return
    locked.status = checked_transition(
        RUN_TRANSITIONS, current=RunStatus(locked.status), to=RunStatus.DONE
    )
    locked.finished_at = now
    locked.save(update_fields=["status", "finished_at"])


@transaction.atomic
def lease_jobs(
    *, computer: Computer, request: LeaseRequest, now: datetime
) -> Sequence[Job]:
    """Hand out up to `request.limit` queued jobs, oldest first.

    Asked again with the same `request_id`, the jobs are the same while their leases
    live: the first answer was lost.
    """
    jobs = Job.objects.for_organisation(computer.organisation_id).filter(
        computer=computer
    )
    again = list(
        jobs.select_for_update()
        .filter(
            lease_request_id=request.request_id,
            status=JobStatus.LEASED,
            leased_until__gt=now,
        )
        .order_by("created_at", "pk")
    )
    if again:
        return again
    _return_overdue(list(jobs.select_for_update().overdue(now)), now)
    queued = list(
        jobs.select_for_update(skip_locked=True)
        .filter(status=JobStatus.QUEUED, not_before__lte=now, not_after__gt=now)
        .order_by("created_at", "pk")[: request.limit]
    )
    for job in queued:
        job.lease_id = uuid4()
        job.lease_request_id = request.request_id
        job.leased_until = now + LEASE
        move_job(job, to=JobStatus.LEASED, now=now)
        publish.hint_pages("run", job.run_id, "jobs")
    return queued


@transaction.atomic
def take_output(
    *, computer: Computer, job_id: UUID, request: OutputRequest, now: datetime
) -> int:
    """Append output and prolong the lease; returns the length stored.

    Raises:
        ProtocolError: ``job-unknown``, ``lease-lost``, ``output-too-long``.
        OutputGap: bytes in between are missing.
    """
    job = _leased_job(computer, job_id, request.lease_id)
    if request.offset > job.output_bytes:
        raise OutputGap(job.output_bytes)
    fresh = request.data[job.output_bytes - request.offset :]
    if job.output_bytes + len(fresh) > limits.OUTPUT_STORED_BYTES:
        raise ProtocolError(ErrorCode.OUTPUT_TOO_LONG)
    has_started = job.status == JobStatus.LEASED
    if has_started:
        move_job(job, to=JobStatus.RUNNING, now=now)
    if fresh:
        OutputChunk.objects.create(
            organisation_id=job.organisation_id,
            created_at=job.created_at,
            job_id=job.pk,
            offset=job.output_bytes,
            data=fresh,
        )
        job.output_bytes += len(fresh)
    if job.status == JobStatus.RUNNING:
        job.leased_until = now + RUNNING_LEASE
    job.save(update_fields=["output_bytes", "leased_until"])
    if has_started or fresh:
        publish.hint_pages("run", job.run_id, "jobs" if has_started else "output")
    return int(job.output_bytes)


@transaction.atomic
def take_result(
    *, computer: Computer, job_id: UUID, request: ResultRequest, now: datetime
) -> None:
    """Write how a job ended; a repeated result changes nothing.

    Raises:
        ProtocolError: ``job-unknown``, ``lease-lost``.
    """
    job = _leased_job(computer, job_id, request.lease_id)
    status = _status_of(request)
    if job.status in ENDED and (job.status != JobStatus.LOST or status == job.status):
        return
    job.exit_status = request.exit_status
    job.reason = request.reason.value
    job.code = request.code
    job.fields = request.fields
    if job.started_at is None and request.started_at is not None:
        job.started_at = now
    move_job(job, to=status, now=now)
    finish_run_if_ended(job.run, now=now)
    publish.hint_pages("run", job.run_id, "jobs")


@transaction.atomic
def end_overdue_jobs(*, organisation_id: UUID, now: datetime) -> None:
    """Expire what was never fetched, take back unused leases, call silent jobs lost."""
    jobs = Job.objects.for_organisation(organisation_id).select_for_update(
        of=("self",), skip_locked=True
    )
    _return_overdue(list(jobs.select_related("run", "computer").overdue(now)), now)
    expired = jobs.select_related("run").filter(
        status__in=(JobStatus.WAITING, JobStatus.QUEUED), not_after__lte=now
    )
    _end_all(list(expired), JobStatus.EXPIRED, now)
    silent = jobs.select_related("run").filter(
        status=JobStatus.RUNNING, leased_until__lte=now
    )
    _end_all(list(silent), JobStatus.LOST, now)


def _return_overdue(jobs: Sequence[Job], now: datetime) -> None:
    """Back into the queue, but for those that somebody cancelled meanwhile."""
    _end_all([job for job in jobs if job.cancel_requested_at], JobStatus.CANCELLED, now)
    for job in jobs:
        if job.cancel_requested_at:
            continue
        move_job(job, to=JobStatus.QUEUED, now=now)
        authority.bump_auth_version(
            [job.computer], organisation_id=job.organisation_id, nudge=Hint.JOBS
        )
        publish.hint_pages("run", job.run_id, "jobs")


def _end_all(jobs: Sequence[Job], to: JobStatus, now: datetime) -> None:
    for job in jobs:
        move_job(job, to=to, now=now)
    for run in {job.run for job in jobs}:
        finish_run_if_ended(run, now=now)
        publish.hint_pages("run", run.pk, "jobs")


def _leased_job(computer: Computer, job_id: UUID, lease_id: UUID) -> Job:
    job: Job | None = (
        Job.objects.for_organisation(computer.organisation_id)
        .select_for_update(of=("self",))
        .select_related("run")
        .filter(computer=computer, pk=job_id)
        .first()
    )
    if job is None:
        raise ProtocolError(ErrorCode.JOB_UNKNOWN)
    if job.lease_id != lease_id:
        raise ProtocolError(ErrorCode.LEASE_LOST)
    return job


def _status_of(request: ResultRequest) -> JobStatus:
    match request.reason:
        case EndReason.EXIT:
            has_succeeded = request.exit_status == 0
            return JobStatus.SUCCEEDED if has_succeeded else JobStatus.FAILED
        case EndReason.TIMEOUT:
            return JobStatus.TIMED_OUT
        case EndReason.CANCELLED:
            return JobStatus.CANCELLED
        case EndReason.REFUSED:
            return JobStatus.FAILED
        case EndReason.LOST:
            return JobStatus.LOST
