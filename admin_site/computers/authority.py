"""Every change of what the fast path relies on goes through here."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import F

from admin_site.computers import agent_cache
from admin_site.computers.models import Computer
from admin_site.core import publish
from admin_site.core.tasks import defer_by_name
from client_agent.protocol.socket import Hint

FORGET_TASK = "computers.forget_again"


def bump_auth_version(
    computers: Iterable[Computer], *, organisation_id: UUID, nudge: Hint
) -> None:
    """Make the cached entries of `computers` worthless as of this transaction.

    On commit the entries are deleted and the computers nudged; a task from the same
    transaction repeats both, in case this process dies in between or Valkey is away.
    The rows stay locked until the transaction ends.
    """
    uids = [each.pk for each in computers]
    if not uids:
        return
    rows = Computer.objects.for_organisation(organisation_id).filter(pk__in=uids)
    # Locked in one order, so that two who change the same computers do not deadlock.
    locked = rows.select_for_update().order_by("pk")
    versions = {
        uid: version + 1 for uid, version in locked.values_list("pk", "auth_version")
    }
    rows.update(auth_version=F("auth_version") + 1)
    agent_cache.forget_after_commit(versions)
    publish.nudge_computers(versions, nudge)
    defer_by_name(
        FORGET_TASK,
        organisation_id,
        versions={str(uid): version for uid, version in versions.items()},
        nudge=nudge.value,
    )
