"""Ordering and cancelling runs: what staff do."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.utils.translation import gettext as _

from admin_site.accounts.actors import actor_of
from admin_site.accounts.models import User
from admin_site.audit.services import MASK, record
from admin_site.computers.keys import seal_keys_of
from admin_site.computers.models import Computer
from admin_site.computers.orders import give_order
from admin_site.computers.states import MANAGED
from admin_site.core import publish
from admin_site.core.errors import PortalError
from admin_site.core.permissions import Permission
from admin_site.core.tasks import defer_by_name
from admin_site.jobs.models import Job, Run
from admin_site.jobs.progress import finish_run_if_ended, move_job
from admin_site.jobs.states import ENDED, JobStatus
from admin_site.scripts.models import ScriptVersion
from admin_site.scripts.selectors import metadata_of
from admin_site.tenancy.access import require
from admin_site.tenancy.models import Site
from client_agent.protocol.orders import OrderKind
from client_agent.protocol.sealing import seal
from scripts.arguments import check_arguments
from scripts.parameters import Parameter, SecretParameter

JOB_LIFETIME = timedelta(days=7)


class NothingToRunOn(PortalError):
    """None of the chosen computers can run anything."""

    code = "nothing-to-run-on"


@transaction.atomic
def create_run(
    *,
    site: Site,
    script_version: ScriptVersion,
    arguments: Mapping[str, Any],
    computers: Sequence[Computer],
    by: User,
    request_id: UUID,
    now: datetime,
) -> Run:
    """Order `script_version` on `computers`; the worker signs and queues the jobs.

    `request_id` comes with the form: the second click gets the run of the first.

    Raises:
        NotAllowed: `by` lacks RUN_CREATE at the site.
        ArgumentErrors: an argument is missing or wrong.
        NothingToRunOn: no computer of the site that is managed was chosen.
    """
    require(by, Permission.RUN_CREATE, at=site)
    earlier: Run | None = (
        Run.objects.for_site(site).filter(request_id=request_id).first()
    )
    if earlier is not None:
        return earlier
    metadata = metadata_of(script_version)
    checked = check_arguments(metadata.parameters, arguments)
    secrets = _taken_out(checked, metadata.parameters)
    able = _able(computers, site)
    if not able:
        raise NothingToRunOn(_("Choose at least one computer that is approved."))
    run: Run
    run, is_new = Run.objects.get_or_create(
        organisation_id=site.organisation_id,
        site=site,
        request_id=request_id,
        defaults={
            "script_version": script_version,
            "arguments": checked,
            "created_by": by,
            "created_at": now,
        },
    )
    if not is_new:  # The other click was faster.
        return run
    _create_jobs(run, able, secrets, limit_seconds=metadata.limit_seconds)
    _record_created(run, able, secrets, by)
    defer_by_name("jobs.sign_run", site.organisation_id, run_id=run.pk)
    publish.hint_pages("site", site.pk, "runs")
    return run


def _able(computers: Sequence[Computer], site: Site) -> list[Computer]:
    """Those of the site that can run something, each once."""
    chosen = {each.pk: each for each in computers if each.site_id == site.pk}
    return [each for each in chosen.values() if each.status in MANAGED]


def _record_created(
    run: Run, computers: Sequence[Computer], secrets: Mapping[str, str], by: User
) -> None:
    record(
        organisation_id=run.organisation_id,
        by=actor_of(by),
        action="run.created",
        target=run,
        after={
            "script": run.script_version.script.slug,
            "version": run.script_version.version,
            "arguments": {**run.arguments, **dict.fromkeys(secrets, MASK)},
            "computers": [str(each.pk) for each in computers],
        },
    )


def _taken_out(
    arguments: dict[str, Any], parameters: Sequence[Parameter]
) -> dict[str, str]:
    """Remove the secrets from checked `arguments` and return them."""
    names = [each.name for each in parameters if isinstance(each, SecretParameter)]
    return {name: arguments.pop(name) for name in names if name in arguments}


def _create_jobs(
    run: Run,
    computers: Sequence[Computer],
    secrets: Mapping[str, str],
    *,
    limit_seconds: int,
) -> None:
    """One waiting job for each computer, with the secrets sealed to its own key."""
    seal_keys = seal_keys_of(computers) if secrets else {}
    jobs = [
        Job(
            organisation_id=run.organisation_id,
            run=run,
            computer=computer,
            not_before=run.created_at,
            not_after=run.created_at + JOB_LIFETIME,
            limit_seconds=limit_seconds,
            created_at=run.created_at,
        )
        for computer in computers
    ]
    for job in jobs:
        job.sealed_secrets = {
            name: msgspec.to_builtins(
                seal(
                    secret.encode(),
                    to=seal_keys[job.computer_id],
                    computer=job.computer_id,
                    place=f"job:{job.pk}:{name}",
                )
            )
            for name, secret in secrets.items()
        }
    Job.objects.bulk_create(jobs, batch_size=500)


@transaction.atomic
def cancel_run(*, run: Run, by: User, now: datetime) -> int:
    """Cancel every job of `run` that has not ended; returns how many.

    A job that no computer has yet ends at once; for the others the computer is given
    an order and the job ends when it says so.

    Raises:
        NotAllowed: `by` lacks RUN_CANCEL at the run's site.
    """
    require(by, Permission.RUN_CANCEL, at=run.site)
    jobs = list(
        Job.objects.for_organisation(run.organisation_id)
        .select_for_update(of=("self",))
        .select_related("computer", "run")
        .filter(run=run, cancel_requested_at__isnull=True)
        .exclude(status__in=ENDED)
        # Two runs that are cancelled at once lock the computers in the same order.
        .order_by("computer_id")
    )
    for job in jobs:
        job.cancel_requested_at = now
        if job.status in (JobStatus.WAITING, JobStatus.QUEUED):
            move_job(job, to=JobStatus.CANCELLED, now=now)
        else:
            job.save(update_fields=["cancel_requested_at"])
            give_order(
                computer=job.computer,
                kind=OrderKind.CANCEL_JOB,
                arguments={"job": str(job.pk)},
                by=by,
                now=now,
            )
    if jobs:
        record(
            organisation_id=run.organisation_id,
            by=actor_of(by),
            action="run.cancelled",
            target=run,
            after={"jobs": len(jobs)},
        )
        finish_run_if_ended(run, now=now)
        publish.hint_pages("run", run.pk, "jobs")
    return len(jobs)
