"""Scalar types with their bounds, shared by all messages."""

from datetime import datetime, timezone
from typing import Annotated, Any, Union
from uuid import UUID

from msgspec import Meta

from client_agent.protocol import limits

_END = r"$(?!\n)"
"""`$` alone lets a newline follow; this form means the same in Python and ECMA 262."""

Uid = UUID
Moment = Annotated[datetime, Meta(tz=True)]
"""Aware instant; UTC on the wire (RFC 3339)."""

PublicKey = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""Raw Ed25519 or X25519 public key (RFC 8032, RFC 7748)."""

Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}" + _END)]
Fingerprint = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}" + _END)]
"""Base64url of SHA-256 of a raw public key, without padding."""

Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}" + _END)]
Code = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}" + _END)]
"""Stable machine-readable code; who shows it translates it."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=4000)]
ShortText = Annotated[str, Meta(max_length=500)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Seconds = Annotated[int, Meta(ge=0, le=366 * 24 * 3600)]
PositiveSeconds = Annotated[int, Meta(ge=1, le=366 * 24 * 3600)]
Revision = Annotated[int, Meta(ge=0, le=2**53)]
Blob = Annotated[bytes, Meta(max_length=limits.BODY_BYTES)]

Json = Union[None, bool, int, float, str, list[Any], dict[str, Any]]  # noqa: UP007
"""Any JSON value as decoded; its inner shape is checked by who uses it."""


def utc(moment: datetime) -> datetime:
    """Return the same instant in UTC.

    Raises:
        ValueError: `moment` is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place on the wire")
    return moment.astimezone(timezone.utc)
