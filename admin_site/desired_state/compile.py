"""From intent to one computer's document. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from admin_site.core.clock import unix_ms
from client_agent.protocol import codec
from client_agent.protocol.state import DesiredState
from client_agent.protocol.types import Json

IDLE_FACTOR = 12
"""With a socket an agent asks this many times less often than without."""


@dataclass(frozen=True)
class Intent:
    """What the portal wants of one computer, before it has a revision."""

    computer: UUID
    settings: Mapping[str, Json]
    poll_seconds: int


def content_digest(intent: Intent) -> str:
    """SHA-256 in hexadecimal: equal digests need no new revision."""
    content = [str(intent.computer), dict(intent.settings), intent.poll_seconds]
    return hashlib.sha256(codec.encode(content)).hexdigest()


def next_revision(previous: int, *, now: datetime) -> int:
    """Above `previous`, and never below the clock: a restored database goes on."""
    return max(previous + 1, unix_ms(now))


def document_of(intent: Intent, *, revision: int, now: datetime) -> DesiredState:
    """The document that the worker signs."""
    return DesiredState(
        computer=intent.computer,
        revision=revision,
        compiled_at=now,
        settings=dict(intent.settings),
        poll_seconds=intent.poll_seconds,
        idle_poll_seconds=intent.poll_seconds * IDLE_FACTOR,
    )
