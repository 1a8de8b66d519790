"""The audit log of the site's organisation: page and download."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import get_language, gettext_lazy

from admin_site.accounts.actors import actor_of
from admin_site.audit.models import AuditEvent
from admin_site.audit.selectors import (
    events_of_organisation,
    organisation_sealed_up_to,
)
from admin_site.audit.services import record
from admin_site.core import clock
from admin_site.core.permissions import Permission
from admin_site.portal.audit_csv import Export, csv_pieces
from admin_site.portal.audit_texts import (
    Change,
    action_text,
    actor_text,
    changes_of,
)
from admin_site.portal.forms.audit import AuditFilter
from admin_site.portal.lists import Column, listing
from admin_site.portal.pages import SiteRequest, page

COLUMNS = (
    Column("at", gettext_lazy("When"), ("at",)),
    Column("who", gettext_lazy("Who"), ("actor_name", "at")),
    Column("action", gettext_lazy("What happened"), ("action", "at")),
    Column("target", gettext_lazy("To what"), ("target_name", "at")),
    Column("changes", gettext_lazy("Details")),
)


@dataclass(frozen=True)
class ShownEvent:
    """One event in words."""

    event: AuditEvent
    who: str
    action: str
    changes: list[Change]


@page(Permission.AUDIT_READ)
def audit_log(request: SiteRequest) -> HttpResponse:
    """All that happened in the organisation, newest first, searched and filtered."""
    organisation_id = request.site.organisation_id
    form = AuditFilter(request.GET)
    rows = listing(
        form.narrowed(events_of_organisation(organisation_id)),
        COLUMNS,
        request.GET,
        sort="-at",
    )
    context = {
        "form": form,
        "is_narrowed": bool(form.asked_for()),
        "list": rows,
        "rows": [_shown(event) for event in rows.page.object_list],
        "sealed_up_to": organisation_sealed_up_to(organisation_id),
        "query": request.GET.urlencode(),
    }
    return render(request, "portal/audit.html", context)


@page(Permission.AUDIT_READ)
def audit_export(request: SiteRequest) -> StreamingHttpResponse:
    """The filtered rows as CSV; that somebody took them is an event too."""
    now = clock.now()
    organisation = request.site.organisation
    form = AuditFilter(request.GET)
    export = Export(
        organisation_id=organisation.pk,
        form=form,
        up_to=now,
        language=get_language() or "en",
        zone=ZoneInfo(request.site.time_zone),
    )
    record(
        organisation_id=organisation.pk,
        by=actor_of(request.user),
        action="audit.exported",
        target=organisation,
        after={name: str(value) for name, value in form.asked_for().items()},
    )
    name = f"audit-{organisation.slug}-{now.date().isoformat()}.csv"
    return StreamingHttpResponse(
        csv_pieces(export),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _shown(event: AuditEvent) -> ShownEvent:
    return ShownEvent(
        event, actor_text(event), action_text(event.action), list(changes_of(event))
    )
