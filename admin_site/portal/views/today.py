"""Today: the front page of a site, one card for each computer."""

from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render

from admin_site.computers.models import Computer
from admin_site.computers.presence import Sighting, Whereabouts
from admin_site.computers.selectors import (
    managed_computers_of_site,
    pending_enrolments,
    sightings_of_computers,
    whereabouts_counts,
)
from admin_site.core import clock
from admin_site.core.permissions import Permission
from admin_site.jobs.models import Job
from admin_site.jobs.selectors import last_jobs_of_computers
from admin_site.portal.pages import SiteRequest, page

CARDS_ON_A_PAGE = 60


@dataclass(frozen=True)
class Card:
    """One computer on the front page."""

    computer: Computer
    sighting: Sighting
    last_job: Job | None


@page(Permission.SITE_VIEW)
def today(request: SiteRequest) -> HttpResponse:
    """Cards with state in words, counts, and what waits for a person."""
    now = clock.now()
    computers = Paginator(
        managed_computers_of_site(request.site), CARDS_ON_A_PAGE
    ).get_page(request.GET.get("page"))
    listed = list(computers.object_list)
    sightings = sightings_of_computers(listed, now=now)
    sees_runs = Permission.RUN_VIEW in request.permissions
    jobs = (
        last_jobs_of_computers(request.site, [each.pk for each in listed])
        if sees_runs
        else {}
    )
    counts = whereabouts_counts(request.site, now=now)
    context = {
        "cards": [Card(each, sightings[each.pk], jobs.get(each.pk)) for each in listed],
        "page": computers,
        "on": counts[Whereabouts.ON],
        "away": counts[Whereabouts.AWAY],
        "never_seen": counts[Whereabouts.NEVER_SEEN],
        "waiting": pending_enrolments(request.site).count(),
    }
    return render(request, "portal/today.html", context)
