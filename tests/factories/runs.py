"""Scripts, runs, jobs and their output for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import connection

from admin_site.accounts.models import User
from admin_site.computers.models import Computer
from admin_site.core.tenancy import scoped
from admin_site.jobs.models import Job, OutputChunk, Run
from admin_site.jobs.states import ENDED, JobStatus, RunStatus
from admin_site.scripts.models import ScriptVersion
from admin_site.scripts.selectors import library_scripts
from admin_site.scripts.services import load_library
from admin_site.tenancy.models import Site
from client_agent.protocol import limits
from scripts.index import load_library as library_of_repository
from tests.factories.tenants import make_user


def _now() -> datetime:
    return datetime.now(UTC)


def make_library() -> None:
    """The repository's own scripts, as at an upgrade; twice is once."""
    if not library_scripts().exists():
        load_library(library=library_of_repository(), now=_now())


def make_script_version(slug: str = "hardware-inventory") -> ScriptVersion:
    """The current version of a script of the library."""
    make_library()
    version = library_scripts().get(slug=slug).current
    if version is None:
        raise LookupError(slug)
    return version


def make_run(
    site: Site,
    computers: Sequence[Computer] = (),
    *,
    by: User | None = None,
    slug: str = "hardware-inventory",
    status: JobStatus = JobStatus.QUEUED,
    arguments: dict[str, Any] | None = None,
) -> Run:
    """A run with one job in `status` on each computer."""
    version = make_script_version(slug)
    has_ended = status in ENDED
    with scoped([site.organisation_id]):
        run: Run = Run.objects.create(
            organisation_id=site.organisation_id,
            site=site,
            script_version=version,
            arguments=arguments or {},
            status=RunStatus.DONE if has_ended else RunStatus.ROLLING,
            created_by=by or make_user(),
            request_id=uuid4(),
            created_at=_now(),
            finished_at=_now() if has_ended else None,
        )
        Job.objects.bulk_create(
            _job(run, each, status, has_ended=has_ended) for each in computers
        )
    return run


def make_job(
    site: Site,
    *,
    computer: Computer,
    status: JobStatus = JobStatus.RUNNING,
    slug: str = "hardware-inventory",
) -> Job:
    """The only job of a new run."""
    run = make_run(site, [computer], status=status, slug=slug)
    with scoped([site.organisation_id]):
        job: Job = (
            Job.objects.for_organisation(site.organisation_id)
            .select_related("run__site", "computer")
            .get(run=run)
        )
    return job


def add_output(job: Job, data: bytes) -> None:
    """Append to what the job has printed, in pieces as computers send them."""
    with scoped([job.organisation_id]):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT jobs_ensure_output_partition(%s)", [job.created_at.date()]
            )
        for start in range(0, len(data), limits.OUTPUT_CHUNK_BYTES):
            piece = data[start : start + limits.OUTPUT_CHUNK_BYTES]
            OutputChunk.objects.create(
                organisation_id=job.organisation_id,
                created_at=job.created_at,
                job_id=job.pk,
                offset=job.output_bytes,
                data=piece,
            )
            job.output_bytes += len(piece)
        job.save(update_fields=["output_bytes"])


def _job(run: Run, computer: Computer, status: JobStatus, *, has_ended: bool) -> Job:
    has_begun = status is JobStatus.RUNNING or has_ended
    return Job(
        organisation_id=run.organisation_id,
        run=run,
        computer=computer,
        status=status,
        not_before=run.created_at,
        not_after=run.created_at + timedelta(days=7),
        limit_seconds=60,
        created_at=run.created_at,
        started_at=_now() if has_begun else None,
        finished_at=_now() if has_ended else None,
    )
