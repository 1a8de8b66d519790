"""Reading runs, jobs and their output."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from admin_site.computers.models import Computer
from admin_site.jobs.models import Job, OutputChunk, Run
from admin_site.jobs.states import ENDED, JobStatus
from admin_site.tenancy.models import Site
from client_agent.protocol import limits


def runs_of_site(site: Site) -> QuerySet[Run]:
    """Newest first, with counts ``jobs_total``, ``jobs_ended``, ``jobs_succeeded``."""
    runs: QuerySet[Run] = (
        Run.objects.for_site(site)
        .select_related("script_version__script", "created_by", "site")
        .annotate(
            jobs_total=Count("jobs"),
            jobs_ended=Count("jobs", filter=Q(jobs__status__in=ENDED)),
            jobs_succeeded=Count("jobs", filter=Q(jobs__status=JobStatus.SUCCEEDED)),
        )
        .order_by("-created_at", "pk")
    )
    return runs


def jobs_of_run(run: Run) -> QuerySet[Job]:
    """By the computer's name."""
    jobs: QuerySet[Job] = (
        Job.objects.for_organisation(run.organisation_id)
        .filter(run=run)
        .select_related("computer")
        .order_by("computer__name", "pk")
    )
    return jobs


def jobs_of_computer(computer: Computer) -> QuerySet[Job]:
    """Newest first, with run and script."""
    jobs: QuerySet[Job] = (
        Job.objects.for_organisation(computer.organisation_id)
        .filter(computer=computer)
        .select_related("run__script_version__script")
        .order_by("-created_at", "pk")
    )
    return jobs


def last_jobs_of_computers(site: Site, uids: Iterable[UUID]) -> Mapping[UUID, Job]:
    """The newest job of each computer that had one. One query."""
    jobs = (
        Job.objects.for_organisation(site.organisation_id)
        .filter(computer_id__in=list(uids))
        .select_related("run__script_version__script")
        .order_by("computer_id", "-created_at", "pk")
        .distinct("computer_id")
    )
    return {job.computer_id: job for job in jobs}


def output_of_job(job: Job, *, offset: int, at_most: int) -> bytes:
    """What is stored from byte `offset` on, cut after `at_most` bytes."""
    chunks = (
        OutputChunk.objects.for_organisation(job.organisation_id)
        .filter(
            created_at=job.created_at,
            job_id=job.pk,
            offset__gt=offset - limits.OUTPUT_CHUNK_BYTES,
            offset__lt=offset + at_most,
        )
        .order_by("offset")
        .values_list("offset", "data")
    )
    found = b"".join(
        bytes(data)[max(0, offset - start) :] for start, data in chunks.iterator()
    )
    return found[:at_most]
