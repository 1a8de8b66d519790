"""Reading the audit log, for the portal's page."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from admin_site.audit.models import AuditEvent
from admin_site.audit.sealing import chain_end


def events_of_organisation(organisation_id: UUID) -> QuerySet[AuditEvent]:
    """All events that are kept, in no order."""
    return AuditEvent.objects.filter(organisation_id=organisation_id)


def organisation_sealed_up_to(organisation_id: UUID) -> datetime | None:
    """The stamp of the newest event that is sealed, None before the first."""
    return chain_end(organisation_id).latest_at
