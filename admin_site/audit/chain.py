"""Digests of the audit log's rows and blocks. Pure: no database, no clock."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

START = "0" * 64
"""What the first block of an organisation names as the digest before."""


@dataclass(frozen=True)
class Link:
    """All that a block's digest covers besides the digests of its rows."""

    organisation_id: UUID
    number: int
    event_count: int
    latest_at: datetime
    sealed_at: datetime
    previous_digest: str


def digest_of_row(values: dict[str, Any]) -> str:
    """SHA-256 of a row in canonical form, in hexadecimal; order does not matter."""
    return _digest("citizenpc/audit-row/1", values)


def digest_of_block(link: Link, rows: Sequence[str]) -> str:
    """SHA-256 of a block: its place in the chain and its rows, in their order."""
    fields = {
        "organisation": link.organisation_id,
        "number": link.number,
        "events": link.event_count,
        "latest": link.latest_at,
        "sealed": link.sealed_at,
        "previous": link.previous_digest,
        "rows": list(rows),
    }
    return _digest("citizenpc/audit-block/1", fields)


def canonical(values: dict[str, Any]) -> bytes:
    """JSON with sorted names, no spaces and ASCII only; moments are in UTC."""
    text = json.dumps(
        values,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
        default=_plain,
    )
    return text.encode("ascii")


def _digest(purpose: str, values: dict[str, Any]) -> str:
    return hashlib.sha256(purpose.encode() + b"\0" + canonical(values)).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")
