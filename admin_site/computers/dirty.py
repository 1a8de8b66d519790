"""Marking computers whose desired state must be compiled anew."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from admin_site.computers.models import Computer, StateDirty
from admin_site.core.tasks import defer_by_name

COMPILE_TASK = "desired_state.compile_dirty"


def mark_state_dirty(
    computers: Iterable[Computer], *, organisation_id: UUID, now: datetime
) -> None:
    """Have the worker compile these computers' states once we commit."""
    rows = [
        StateDirty(organisation_id=organisation_id, computer=each, marked_at=now)
        for each in computers
    ]
    if not rows:
        return
    StateDirty.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["computer"],
        update_fields=["marked_at"],
        batch_size=1000,
    )
    defer_by_name(COMPILE_TASK, organisation_id)
