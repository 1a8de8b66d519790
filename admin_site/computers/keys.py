"""Public keys of computers, and who a computer is before its organisation is known."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

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
