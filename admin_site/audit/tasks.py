"""Background work of `audit`: sealing each minute, forgetting after five years."""

from datetime import timedelta
from uuid import UUID

from admin_site.audit.purge import purge_before
from admin_site.audit.sealing import seal_events
from admin_site.audit.services import system_actor
from admin_site.core import clock
from admin_site.core.tasks import sweep

KEPT_FOR = timedelta(days=5 * 365 + 2)


@sweep("audit.seal", cron="* * * * *")
def seal(organisation_id: UUID) -> None:
    """Once a minute: see `seal_events`."""
    seal_events(organisation_id=organisation_id, now=clock.now())


@sweep("audit.seal_late", cron="41 2 * * *")
def seal_late(organisation_id: UUID) -> None:
    """Once a night, however far back an event is stamped."""
    seal_events(organisation_id=organisation_id, now=clock.now(), looks_at_all=True)


@sweep("audit.purge", cron="47 2 * * *")
def purge(organisation_id: UUID) -> None:
    """Once a night: see `purge_before`."""
    now = clock.now()
    purge_before(
        organisation_id=organisation_id,
        moment=now - KEPT_FOR,
        now=now,
        by=system_actor("audit.purge"),
    )
