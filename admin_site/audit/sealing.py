"""Sealing: events become links of their organisation's chain.

One worker at a time seals an organisation. What counts is that an event is in no seal
yet, not when it was stamped: a transaction that commits late is sealed a round later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from admin_site.audit import anchor
from admin_site.audit.chain import START, Link, digest_of_block, digest_of_row
from admin_site.audit.models import (
    AuditCheckpoint,
    AuditEvent,
    AuditSeal,
    AuditSealedEvent,
)

log = structlog.get_logger(__name__)

LARGEST_BLOCK = 5000
USUALLY_LATE = timedelta(days=1)
"""The round of each minute looks no further back; the nightly one looks at all."""


@dataclass(frozen=True)
class ChainEnd:
    """Where an organisation's chain goes on; `latest_at` is None before the first."""

    number: int
    digest: str
    latest_at: datetime | None


def seal_events(
    *, organisation_id: UUID, now: datetime, looks_at_all: bool = False
) -> AuditSeal | None:
    """Seal up to `LARGEST_BLOCK` events and return the seal, None if there was nothing.

    Does nothing while another worker seals or purges this organisation. The head is
    noted outside the database on commit, also when it did not change: the process
    may have been stopped right there the last time.
    """
    if not _is_ours(organisation_id):
        return None
    end = chain_end(organisation_id)
    events = unsealed_events(organisation_id).order_by("at", "id")
    if end.latest_at and not looks_at_all:
        events = events.filter(at__gte=end.latest_at - USUALLY_LATE)
    block = list(events[:LARGEST_BLOCK])
    seal = _seal(organisation_id, end, block, now) if block else None
    _note_on_commit(seal or _last_seal(organisation_id))
    return seal


def chain_end(organisation_id: UUID) -> ChainEnd:
    """The last seal, the last checkpoint if none is left, else the beginning."""
    last = _last_seal(organisation_id) or last_checkpoint(organisation_id)
    if last is None:
        return ChainEnd(0, START, None)
    return ChainEnd(last.number, last.digest, last.latest_at)


def last_checkpoint(organisation_id: UUID) -> AuditCheckpoint | None:
    """What the last purge left."""
    checkpoints = AuditCheckpoint.objects.filter(organisation_id=organisation_id)
    return checkpoints.order_by("-number").first()


def unsealed_events(organisation_id: UUID) -> QuerySet[AuditEvent]:
    """Events that are in no seal yet."""
    sealed = AuditSealedEvent.objects.filter(event_id=OuterRef("pk"))
    return AuditEvent.objects.filter(~Exists(sealed), organisation_id=organisation_id)


def digest_of_event(event: AuditEvent) -> str:
    """Digest of everything that an event says."""
    return digest_of_row(
        {field.attname: getattr(event, field.attname) for field in event._meta.fields}
    )


def link_of(seal: AuditSeal) -> Link:
    """What the digest of `seal` covers besides its events."""
    return Link(
        organisation_id=seal.organisation_id,
        number=seal.number,
        event_count=seal.event_count,
        latest_at=seal.latest_at,
        sealed_at=seal.sealed_at,
        previous_digest=seal.previous_digest,
    )


def wait_for_chain(organisation_id: UUID) -> None:
    """Keep others from sealing and purging until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_lock(organisation_id)])


def _is_ours(organisation_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_lock(organisation_id)])
        row = cursor.fetchone()
    return bool(row and row[0])


def _lock(organisation_id: UUID) -> int:
    """A number for the lock: half of the id, as PostgreSQL's signed 64 bits."""
    return int.from_bytes(organisation_id.bytes[8:], "big", signed=True)


def _last_seal(organisation_id: UUID) -> AuditSeal | None:
    seals = AuditSeal.objects.filter(organisation_id=organisation_id)
    return seals.order_by("-number").first()


def _seal(
    organisation_id: UUID, end: ChainEnd, block: Sequence[AuditEvent], now: datetime
) -> AuditSeal:
    digests = [digest_of_event(event) for event in block]
    # An event stamped by a clock that runs ahead must not make others look old.
    newest = min(now, block[-1].at)
    seal = AuditSeal(
        organisation_id=organisation_id,
        number=end.number + 1,
        event_count=len(block),
        latest_at=max(newest, end.latest_at) if end.latest_at else newest,
        sealed_at=now,
        previous_digest=end.digest,
    )
    seal.digest = digest_of_block(link_of(seal), digests)
    seal.save(force_insert=True)
    AuditSealedEvent.objects.bulk_create(
        [
            AuditSealedEvent(
                event_id=event.pk,
                organisation_id=organisation_id,
                number=seal.number,
                position=position,
                digest=digest,
            )
            for position, (event, digest) in enumerate(zip(block, digests, strict=True))
        ],
        batch_size=1000,
    )
    log.info(
        "audit-sealed",
        organisation=str(organisation_id),
        seal=seal.number,
        digest=seal.digest,
        count=len(block),
    )
    return seal


def _note_on_commit(seal: AuditSeal | None) -> None:
    if seal is None or settings.AUDIT_ANCHOR is None:
        return
    head = anchor.Head(
        organisation_id=seal.organisation_id,
        number=seal.number,
        digest=seal.digest,
        sealed_at=seal.sealed_at.isoformat(),
    )
    transaction.on_commit(partial(anchor.note, settings.AUDIT_ANCHOR, head))
