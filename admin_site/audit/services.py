"""Writing the audit log, always inside the transaction of the deed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.utils.functional import Promise

from admin_site.audit.models import AuditEvent
from admin_site.core import clock
from admin_site.core.middleware import current_request_id

MASK = "***"


@dataclass(frozen=True)
class Actor:
    """Who did it: a person, a computer, a task or a command."""

    kind: str
    id: str
    name: str


def system_actor(name: str) -> Actor:
    """The portal itself, doing what `name` (a task or command) says."""
    return Actor(kind="system", id="", name=name)


def snapshot(
    instance: models.Model, *fields: str, masked: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Values of `fields` for `before` and `after`; those in `masked` become stars."""
    return {
        name: MASK if name in masked else _plain(getattr(instance, name))
        for name in fields
    }


def record(
    *,
    organisation_id: UUID,
    by: Actor,
    action: str,
    target: models.Model,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Insert one event into the running transaction.

    Raises:
        RuntimeError: there is none, so deed and event could part.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an audit event belongs into the transaction of its deed")
    AuditEvent.objects.create(
        organisation_id=organisation_id,
        at=clock.now(),
        actor_kind=by.kind,
        actor_id=by.id,
        actor_name=by.name,
        action=action,
        target_kind=target._meta.model_name or "",
        target_id=str(target.pk),
        target_name=str(target)[:200],
        before=dict(before or {}),
        after=dict(after or {}),
        request_id=current_request_id(),
    )


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    if isinstance(value, models.Model):
        return str(value.pk)
    if isinstance(value, Promise):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
