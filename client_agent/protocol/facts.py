"""Inventory: only what changed travels."""

import hashlib

import msgspec

from client_agent.protocol import codec
from client_agent.protocol.types import Json, Sha256, Slug


class FactsRequest(msgspec.Struct, frozen=True):
    """``PATCH /agent/v1/facts``: `changed` keys (null removes one).

    `digest` is `facts_digest` of the whole after the change; when the portal comes to
    another it answers 409 ``facts-digest-wrong`` and the agent sends everything with
    `replaces` true.
    """

    changed: dict[Slug, Json]
    digest: Sha256
    replaces: bool = False


def facts_digest(facts: dict[str, Json]) -> str:
    """SHA-256 of the deterministic JSON of all facts."""
    return hashlib.sha256(codec.encode(facts)).hexdigest()


def facts_after(facts: dict[str, Json], request: FactsRequest) -> dict[str, Json]:
    """All facts once `request` is applied; the argument is left alone."""
    merged = {} if request.replaces else dict(facts)
    merged.update(request.changed)
    return {key: value for key, value in merged.items() if value is not None}
