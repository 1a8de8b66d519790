"""What one computer should be."""

import msgspec

from client_agent.protocol.types import (
    Json,
    Moment,
    PositiveSeconds,
    Revision,
    Slug,
    Uid,
)


class DesiredState(msgspec.Struct, frozen=True):
    """Signed: the whole desired state of `computer`.

    `revision` only grows: max(previous + 1, Unix milliseconds at compile). A setting
    that is absent from `settings` is to have no effect on the computer. Without a
    socket the agent asks every `poll_seconds`, with one every `idle_poll_seconds`.
    """

    computer: Uid
    revision: Revision
    compiled_at: Moment
    settings: dict[Slug, Json]
    poll_seconds: PositiveSeconds = 300
    idle_poll_seconds: PositiveSeconds = 3600
    protocol_version: int = 1


class Revocation(msgspec.Struct, frozen=True):
    """Signed: `computer` is no longer managed by this organisation."""

    computer: Uid
    revoked_at: Moment
