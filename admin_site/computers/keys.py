"""Public keys of computers, and who a computer is before its organisation is known."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from admin_site.computers.agent_cache import AgentEntry
from admin_site.computers.models import Computer, ComputerKey


def seal_keys_of(computers: Iterable[Computer]) -> dict[UUID, bytes]:
    """The raw X25519 key to which each computer's secrets are sealed."""
    rows = (
        ComputerKey.objects.filter(computer__in=list(computers))
        .filter(purpose="seal", retired_at__isnull=True)
        .values_list("computer_id", "public_key")
    )
    return {uid: bytes(key) for uid, key in rows}


def organisation_of_computer(uid: UUID) -> UUID | None:
    """The organisation of a computer that claims to be `uid`; needs no scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT computers_organisation_of_computer(%s)", [uid])
        row = cursor.fetchone()
    return row[0] if row else None


def entry_of_computer(uid: UUID) -> AgentEntry | None:
    """What the fast path needs, read in the scope of the computer's organisation."""
    row = (
        ComputerKey.objects.filter(
            computer_id=uid, purpose="link", retired_at__isnull=True
        )
        .values_list(
            "computer__auth_version",
            "computer__organisation_id",
            "computer__status",
            "public_key",
            "computer__state__etag",
        )
        .first()
    )
    if row is None:
        return None
    version, organisation, status, key, etag = row
    return AgentEntry(version, organisation, status, bytes(key), etag or "")
