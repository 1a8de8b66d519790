"""Computers: list, one computer, taking one out."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from admin_site.computers.enrolment import revoke_computer
from admin_site.computers.models import Computer, Facts
from admin_site.computers.selectors import (
    compliance_of_computer,
    computers_of_site,
    events_of_computer,
    sightings_of_computers,
)
from admin_site.computers.states import COMPUTER_TRANSITIONS, MANAGED, ComputerStatus
from admin_site.core import clock
from admin_site.core.errors import TransitionRefused
from admin_site.core.permissions import Permission
from admin_site.jobs.selectors import jobs_of_computer
from admin_site.portal.fact_texts import described
from admin_site.portal.forms.computers import ComputerFilter
from admin_site.portal.links import site_url
from admin_site.portal.lists import Column, listing
from admin_site.portal.pages import FORM, SiteRequest, page
from admin_site.portal.setting_texts import setting_title

COLUMNS = (
    Column("name", gettext_lazy("Name"), ("name",)),
    Column("state", gettext_lazy("State"), ("status", "name")),
    Column("seen", gettext_lazy("Last seen"), ("flushed_seen_at",)),
    Column("system", gettext_lazy("Operating system"), ("os_release", "name")),
    Column("model", gettext_lazy("Model"), ("model", "name")),
)
RECENT = 10


@page(Permission.COMPUTER_VIEW)
def computer_list(request: SiteRequest) -> HttpResponse:
    """All computers, searched, filtered, sorted and paged."""
    form = ComputerFilter(request.GET)
    rows = listing(
        form.narrowed(computers_of_site(request.site)),
        COLUMNS,
        request.GET,
        sort="name",
    )
    listed = list(rows.page.object_list)
    sightings = sightings_of_computers(listed, now=clock.now())
    context = {
        "form": form,
        "list": rows,
        "rows": [(each, sightings[each.pk]) for each in listed],
    }
    return render(request, "portal/computers.html", context)


@page(Permission.COMPUTER_VIEW)
def computer_detail(request: SiteRequest, uid: UUID) -> HttpResponse:
    """What is known of one computer."""
    computer = get_object_or_404(computers_of_site(request.site), pk=uid)
    known = Facts.objects.for_organisation(computer.organisation_id)
    facts = known.filter(computer=computer).first()
    sees_jobs = Permission.RUN_VIEW in request.permissions
    context = {
        "computer": computer,
        "status": ComputerStatus(computer.status).label,
        "sighting": sightings_of_computers([computer], now=clock.now())[computer.pk],
        "facts": facts,
        "described": described(facts.data) if facts else [],
        "compliance": [
            (setting_title(each.setting), each)
            for each in compliance_of_computer(computer)
        ],
        "events": events_of_computer(computer)[:RECENT],
        "jobs": jobs_of_computer(computer)[:RECENT] if sees_jobs else [],
        "is_managed": computer.status in MANAGED,
        "is_revocable": _is_revocable(computer),
    }
    return render(request, "portal/computer.html", context)


@page(Permission.COMPUTER_REVOKE, methods=FORM)
def revoke(request: SiteRequest, uid: UUID) -> HttpResponse:
    """Say what revoking means, then do it."""
    computer = get_object_or_404(
        computers_of_site(request.site).select_related("site"), pk=uid
    )
    back = site_url(request.site, "computer", uid=uid)
    if request.method != "POST":
        context = {"computer": computer, "back": back}
        return render(request, "portal/computer_revoke.html", context)
    try:
        revoke_computer(computer=computer, by=request.user, now=clock.now())
    except TransitionRefused as error:
        messages.error(request, str(error.message))
    else:
        text = _("%(name)s is revoked. Its keys are worthless from now on.")
        messages.success(request, text % {"name": computer.name})
    return redirect(back)


def _is_revocable(computer: Computer) -> bool:
    status = ComputerStatus(computer.status)
    return ComputerStatus.REVOKED in COMPUTER_TRANSITIONS[status]
