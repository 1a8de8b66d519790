"""Reading computers, enrolments and where computers are."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.db.models import F, QuerySet

from admin_site.computers import agent_cache
from admin_site.computers.models import (
    Computer,
    ComputerEvent,
    Enrolment,
    EnrolmentToken,
    SettingCompliance,
)
from admin_site.computers.presence import Sighting, Whereabouts, sighting
from admin_site.computers.states import MANAGED, ComputerStatus, EnrolmentState
from admin_site.tenancy.models import Site


def computers_of_site(site: Site) -> QuerySet[Computer]:
    """All computers by name, with `flushed_seen_at`: when last seen, a minute late."""
    computers: QuerySet[Computer] = (
        Computer.objects.for_site(site)
        .annotate(flushed_seen_at=F("presence__seen_at"))
        .order_by("name", "pk")
    )
    return computers


def managed_computers_of_site(site: Site) -> QuerySet[Computer]:
    """Those that have a desired state and can run scripts, by name."""
    return computers_of_site(site).filter(status__in=MANAGED)


def sightings_of_computers(
    computers: Iterable[Computer], *, now: datetime
) -> Mapping[UUID, Sighting]:
    """Where each is; they come from `computers_of_site`. Asks Valkey once."""
    listed = list(computers)
    scores = agent_cache.seen_at([each.pk for each in listed])
    return {
        each.pk: sighting(
            ComputerStatus(each.status),
            _latest(scores.get(each.pk), getattr(each, "flushed_seen_at", None)),
            now=now,
            poll_seconds=settings.POLL_SECONDS,
        )
        for each in listed
    }


def whereabouts_counts(site: Site, *, now: datetime) -> Counter[Whereabouts]:
    """How many computers of the site are on, away and so on. One query."""
    rows = computers_of_site(site).filter(status__in=MANAGED | {ComputerStatus.PENDING})
    sightings = sightings_of_computers(
        rows.only("pk", "status", "organisation_id"), now=now
    )
    return Counter(each.whereabouts for each in sightings.values())


def pending_enrolments(site: Site) -> QuerySet[Enrolment]:
    """Requests that wait for a person, oldest first."""
    enrolments: QuerySet[Enrolment] = (
        Enrolment.objects.for_organisation(site.organisation_id)
        .filter(state=EnrolmentState.PENDING, token__site=site)
        .select_related("computer")
        .order_by("created_at", "pk")
    )
    return enrolments


def enrolments_of_site(site: Site) -> QuerySet[Enrolment]:
    """All requests that came by a token of the site, in whatever state."""
    enrolments: QuerySet[Enrolment] = Enrolment.objects.for_organisation(
        site.organisation_id
    ).filter(token__site=site)
    return enrolments


def usable_tokens(site: Site, *, now: datetime) -> QuerySet[EnrolmentToken]:
    """Invitations that still let computers in, the first to expire first."""
    tokens: QuerySet[EnrolmentToken] = (
        EnrolmentToken.objects.for_site(site)
        .filter(revoked_at__isnull=True, expires_at__gt=now, uses_left__gt=0)
        .select_related("created_by")
        .order_by("expires_at", "pk")
    )
    return tokens


def compliance_of_computer(computer: Computer) -> QuerySet[SettingCompliance]:
    """How each setting stands on the computer."""
    rows: QuerySet[SettingCompliance] = (
        SettingCompliance.objects.for_organisation(computer.organisation_id)
        .filter(computer=computer)
        .order_by("setting")
    )
    return rows


def events_of_computer(computer: Computer) -> QuerySet[ComputerEvent]:
    """What the computer reported, newest first."""
    rows: QuerySet[ComputerEvent] = (
        ComputerEvent.objects.for_organisation(computer.organisation_id)
        .filter(computer=computer)
        .order_by("-at", "-pk")
    )
    return rows


def _latest(score: float | None, flushed: datetime | None) -> datetime | None:
    moments = [flushed] if flushed else []
    if score is not None:
        moments.append(datetime.fromtimestamp(score, UTC))
    return max(moments, default=None)
