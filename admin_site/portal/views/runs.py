"""Runs: list, one run as it goes on, its output, cancelling."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from admin_site.core import clock
from admin_site.core.permissions import Permission
from admin_site.jobs.models import Job, Run
from admin_site.jobs.output_text import shown_text
from admin_site.jobs.selectors import jobs_of_run, output_of_job, runs_of_site
from admin_site.jobs.services import cancel_run
from admin_site.jobs.states import ENDED
from admin_site.portal.code_texts import job_outcome
from admin_site.portal.links import site_url
from admin_site.portal.lists import Column, listing
from admin_site.portal.pages import FORM, SiteRequest, page
from admin_site.scripts.selectors import metadata_of
from client_agent.protocol.limits import OUTPUT_STORED_BYTES

COLUMNS = (
    Column("script", gettext_lazy("Script"), ("script_version__script__slug",)),
    Column("created", gettext_lazy("Ordered"), ("created_at",)),
    Column("by", gettext_lazy("By"), ("created_by__name",)),
    Column("status", gettext_lazy("State"), ("status", "created_at")),
    Column("jobs", gettext_lazy("Computers"), ()),
)
JOBS_ON_A_PAGE = 25
OPEN_OUTPUTS = 4
"""Of a run on no more computers than this the output is shown at once."""

PIECE_BYTES = 256 * 1024


@dataclass(frozen=True)
class ShownJob:
    """One computer's part of a run."""

    job: Job
    outcome: str
    has_ended: bool


@page(Permission.RUN_VIEW)
def run_list(request: SiteRequest) -> HttpResponse:
    """All runs of the site, newest first."""
    rows = listing(runs_of_site(request.site), COLUMNS, request.GET, sort="-created")
    context = {
        "list": rows,
        "rows": [
            (run, metadata_of(run.script_version)) for run in rows.page.object_list
        ],
    }
    return render(request, "portal/runs.html", context)


@page(Permission.RUN_VIEW)
def run_detail(request: SiteRequest, run_id: UUID) -> HttpResponse:
    """A run and its jobs; output arrives while it is written."""
    run = _run(request, run_id)
    context = {
        **_jobs_context(request, run),
        "arguments": run.arguments,
    }
    context["are_outputs_open"] = context["page"].paginator.count <= OPEN_OUTPUTS
    return render(request, "portal/run.html", context)


@page(Permission.RUN_VIEW)
def jobs_part(request: SiteRequest, run_id: UUID) -> HttpResponse:
    """The part of the run's page that changes: its state and its jobs."""
    context = _jobs_context(request, _run(request, run_id))
    return render(request, "portal/parts/run_jobs.html", context)


@page(Permission.RUN_VIEW)
def job_output(request: SiteRequest, run_id: UUID, job_id: UUID) -> HttpResponse:
    """Output as text: all of it, or with ``?offset=`` a piece from that byte on.

    ``X-Next-Offset`` says where the next piece begins, ``X-Ended`` whether there will
    be none.
    """
    job = get_object_or_404(jobs_of_run(_run(request, run_id)), pk=job_id)
    wanted = request.GET.get("offset", "")
    offset = int(wanted) if wanted.isascii() and wanted.isdecimal() else 0
    offset = min(offset, OUTPUT_STORED_BYTES)
    at_most = PIECE_BYTES if wanted else OUTPUT_STORED_BYTES
    data = output_of_job(job, offset=offset, at_most=at_most)
    reaches_end = offset + len(data) >= job.output_bytes
    is_end = job.status in ENDED and reaches_end
    text, used = shown_text(data, is_end=is_end or not wanted)
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["X-Next-Offset"] = str(offset + used)
    response["X-Ended"] = "1" if is_end else "0"
    response["X-More"] = "0" if reaches_end else "1"
    return response


@page(Permission.RUN_CANCEL, methods=FORM)
def cancel(request: SiteRequest, run_id: UUID) -> HttpResponse:
    """Say what cancelling means, then do it."""
    run = _run(request, run_id)
    back = site_url(request.site, "run", run_id=run_id)
    if request.method != "POST":
        context = {"run": run, "metadata": metadata_of(run.script_version)}
        return render(request, "portal/run_cancel.html", {**context, "back": back})
    count = cancel_run(run=run, by=request.user, now=clock.now())
    if count:
        text = ngettext(
            "%(count)d job is being cancelled.",
            "%(count)d jobs are being cancelled.",
            count,
        )
        messages.success(request, text % {"count": count})
    else:
        messages.info(request, _("There was nothing left to cancel."))
    return redirect(back)


def _run(request: SiteRequest, run_id: UUID) -> Run:
    return get_object_or_404(runs_of_site(request.site), pk=run_id)


def _jobs_context(request: SiteRequest, run: Run) -> dict[str, object]:
    jobs: Page[Job] = Paginator(jobs_of_run(run), JOBS_ON_A_PAGE).get_page(
        request.GET.get("page")
    )
    return {
        "run": run,
        "metadata": metadata_of(run.script_version),
        "page": jobs,
        "jobs": [
            ShownJob(job, job_outcome(job), job.status in ENDED)
            for job in jobs.object_list
        ],
        "is_running": run.finished_at is None,
    }
