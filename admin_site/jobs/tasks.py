"""Background work of `jobs`: signing what was ordered, ending what is overdue."""

from datetime import datetime
from uuid import UUID

from django.db import connection

from admin_site.computers import authority
from admin_site.computers.signing import Signer
from admin_site.core import clock, publish
from admin_site.core.state_table import checked_transition
from admin_site.core.tasks import sweep, tenant_task
from admin_site.jobs.models import Job
from admin_site.jobs.progress import end_overdue_jobs
from admin_site.jobs.states import JOB_TRANSITIONS, JobStatus
from admin_site.scripts.selectors import reference_of
from client_agent.protocol import codec
from client_agent.protocol.jobs import JobDocument
from client_agent.protocol.sealing import Sealed
from client_agent.protocol.signed import Kind
from client_agent.protocol.socket import Hint


@tenant_task("jobs.sign_run")
def sign_run(*, organisation_id: UUID, run_id: str) -> None:
    """Sign the waiting jobs of a run, queue them and nudge their computers."""
    jobs = list(
        Job.objects.for_organisation(organisation_id)
        .select_for_update(of=("self",))
        .select_related("run__script_version__script", "computer")
        .filter(run_id=run_id, status=JobStatus.WAITING)
    )
    if not jobs:
        return
    _ensure_output_partition(jobs[0].created_at)
    signer = Signer(organisation_id)
    script = reference_of(jobs[0].run.script_version)
    for job in jobs:
        document = JobDocument(
            id=job.pk,
            computer=job.computer_id,
            script=script,
            arguments=job.run.arguments,
            not_before=job.not_before,
            not_after=job.not_after,
            limit_seconds=job.limit_seconds,
            secrets=codec.convert(dict[str, Sealed], job.sealed_secrets),
        )
        job.signed = signer.sign(Kind.JOB, document)
        job.status = checked_transition(
            JOB_TRANSITIONS, current=JobStatus(job.status), to=JobStatus.QUEUED
        )
    Job.objects.bulk_update(jobs, ["signed", "status"], batch_size=500)
    authority.bump_auth_version(
        [job.computer for job in jobs], organisation_id=organisation_id, nudge=Hint.JOBS
    )
    publish.hint_pages("run", UUID(run_id), "jobs")


@sweep("jobs.end_overdue", cron="* * * * *")
def end_overdue(organisation_id: UUID) -> None:
    """Once a minute: see `end_overdue_jobs`."""
    end_overdue_jobs(organisation_id=organisation_id, now=clock.now())


def _ensure_output_partition(moment: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT jobs_ensure_output_partition(%s)", [moment.date()])
