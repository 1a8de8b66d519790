"""The audit log as a file for a spreadsheet, written while it is being read."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from asgiref.sync import sync_to_async
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from admin_site.audit.models import AuditEvent
from admin_site.audit.selectors import events_of_organisation
from admin_site.core.tenancy import scoped
from admin_site.portal.audit_texts import action_text
from admin_site.portal.forms.audit import AuditFilter

ROWS_IN_A_PIECE = 500
# What makes a spreadsheet take a cell for a formula. Source: OWASP, CSV Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_BYTE_ORDER_MARK = "\ufeff"
"""Without it spreadsheets take UTF-8 for something else."""


@dataclass(frozen=True)
class Export:
    """Which events, up to when, and for whom they are written."""

    organisation_id: UUID
    form: AuditFilter
    up_to: datetime
    language: str
    zone: ZoneInfo


async def csv_pieces(export: Export) -> AsyncIterator[str]:
    """Headings, then the events from the newest back, a piece at a time.

    Each piece has a transaction of its own, so that a slow reader holds up nobody.
    """
    yield _BYTE_ORDER_MARK + await sync_to_async(_headings)(export)
    last: AuditEvent | None = None
    while True:
        events, text = await sync_to_async(_piece)(export, last)
        if not events:
            return
        yield text
        last = events[-1]


def safe_cell(value: str) -> str:
    """`value` as a spreadsheet shows it and does not calculate it."""
    return f"'{value}" if value.startswith(_FORMULA) else value


def _headings(export: Export) -> str:
    with translation.override(export.language):
        titles = [
            *(_("When"), _("Who"), _("Kind"), _("What happened"), _("Code")),
            *(_("To what"), _("Kind"), _("Identifier"), _("Before"), _("After")),
            _("Request"),
        ]
    return _written([titles])


def _piece(export: Export, last: AuditEvent | None) -> tuple[list[AuditEvent], str]:
    with (
        scoped([export.organisation_id]),
        translation.override(export.language),
        timezone.override(export.zone),
    ):
        events = export.form.narrowed(events_of_organisation(export.organisation_id))
        events = events.filter(at__lte=export.up_to)
        if last is not None:
            events = events.filter(Q(at__lt=last.at) | Q(at=last.at, pk__lt=last.pk))
        found = list(events.order_by("-at", "-pk")[:ROWS_IN_A_PIECE])
        return found, _written(_cells(event) for event in found)


def _cells(event: AuditEvent) -> list[str]:
    return [
        timezone.localtime(event.at).isoformat(timespec="seconds"),
        event.actor_name,
        event.actor_kind,
        action_text(event.action),
        event.action,
        event.target_name,
        event.target_kind,
        event.target_id,
        _as_json(event.before),
        _as_json(event.after),
        event.request_id,
    ]


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""


def _written(rows: Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([safe_cell(cell) for cell in row] for row in rows)
    return text.getvalue()
