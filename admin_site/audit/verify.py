"""Does the audit log still say what was sealed, and what was noted outside?

Every finding is a sentence for the operator, in English as all commands speak.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from admin_site.audit.anchor import Noted
from admin_site.audit.chain import START, digest_of_block
from admin_site.audit.models import (
    AuditCheckpoint,
    AuditEvent,
    AuditSeal,
    AuditSealedEvent,
)
from admin_site.audit.purge import signature_of
from admin_site.audit.sealing import (
    ChainEnd,
    digest_of_event,
    link_of,
    unsealed_events,
    wait_for_chain,
)

LATEST_COMMIT = timedelta(minutes=15)
"""No transaction of ours is open as long; what is stamped earlier came afterwards."""

NOTED_WITHIN = timedelta(minutes=5)
"""The worker notes the newest seal each minute, whether or not it is new."""

_BATCH = 2000


@dataclass
class Report:
    """What was looked at in one organisation, and what is wrong there."""

    seals: int = 0
    events: int = 0
    unsealed: int = 0
    noted: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Entry:
    """A row of a seal's list, and the event if it is still there."""

    sealed: AuditSealedEvent
    event: AuditEvent | None


def verify_organisation(
    *, organisation_id: UUID, noted: Noted | None, now: datetime
) -> Report:
    """Compare events, seals and checkpoint with each other and with what is `noted`.

    `noted` is what the anchor has of this organisation, None if there is no anchor.
    Nobody seals or purges meanwhile. Needs the organisation's scope.

    Raises:
        MasterKeyMissing: there is a checkpoint, whose signature only it can check.
    """
    wait_for_chain(organisation_id)
    report = Report()
    start = end = _start(organisation_id, report)
    digests = {start.number: start.digest}
    newest: AuditSeal | None = None
    for seal, entries in _blocks(organisation_id):
        _check_link(seal, end, report)
        _check_block(seal, entries, end.latest_at, report)
        end = ChainEnd(seal.number, seal.digest, seal.latest_at)
        digests[seal.number] = seal.digest
        newest = seal
        report.seals += 1
        report.events += len(entries)
    _check_end(organisation_id, end, report)
    if noted is not None:
        _check_noted(noted, digests, start.number, report)
        if newest and newest.sealed_at < now - NOTED_WITHIN:
            _check_is_noted(newest, noted, report)
    return report


def _start(organisation_id: UUID, report: Report) -> ChainEnd:
    """Where the chain begins: the newest checkpoint that is truly signed."""
    checkpoints = AuditCheckpoint.objects.filter(organisation_id=organisation_id)
    for each in checkpoints.order_by("-number"):
        if hmac.compare_digest(each.signature, signature_of(each)):
            return ChainEnd(each.number, each.digest, each.latest_at)
        report.findings.append(
            f"The checkpoint at seal {each.number} was not signed by this portal."
        )
    return ChainEnd(0, START, None)


def _blocks(organisation_id: UUID) -> Iterator[tuple[AuditSeal, list[_Entry]]]:
    """Each seal with what it lists, in the order of the chain."""
    seals = AuditSeal.objects.filter(organisation_id=organisation_id)
    lists = groupby(_entries(organisation_id), key=lambda each: each.sealed.number)
    number, entries = next(lists, (0, iter(())))
    for seal in seals.order_by("number").iterator():
        while 0 < number < seal.number:
            number, entries = next(lists, (0, iter(())))
        yield seal, list(entries) if number == seal.number else []


def _entries(organisation_id: UUID) -> Iterator[_Entry]:
    listed = AuditSealedEvent.objects.filter(organisation_id=organisation_id)
    batch: list[AuditSealedEvent] = []
    for sealed in listed.order_by("number", "position").iterator(_BATCH):
        batch.append(sealed)
        if len(batch) == _BATCH:
            yield from _with_events(organisation_id, batch)
            batch = []
    yield from _with_events(organisation_id, batch)


def _with_events(
    organisation_id: UUID, batch: list[AuditSealedEvent]
) -> Iterator[_Entry]:
    events = AuditEvent.objects.filter(organisation_id=organisation_id).in_bulk(
        [each.event_id for each in batch]
    )
    for sealed in batch:
        yield _Entry(sealed, events.get(sealed.event_id))


def _check_link(seal: AuditSeal, before: ChainEnd, report: Report) -> None:
    if seal.number > before.number + 1:
        gap = range(before.number + 1, seal.number)
        which = (
            f"Seal {gap[0]} was"
            if len(gap) == 1
            else f"Seals {gap[0]} to {gap[-1]} were"
        )
        report.findings.append(f"{which} removed.")
    elif seal.number <= before.number:
        report.findings.append(
            f"Seal {seal.number} is there although it was purged: it was inserted."
        )
    elif seal.previous_digest != before.digest:
        report.findings.append(
            f"Seal {seal.number} does not continue the one before: "
            "one of them was rewritten."
        )


def _check_block(
    seal: AuditSeal, entries: list[_Entry], latest: datetime | None, report: Report
) -> None:
    more = len(entries) - seal.event_count
    if more:
        what = "more than were sealed: rows were inserted"
        if more < 0:
            what = "fewer than were sealed: rows were removed"
        report.findings.append(f"Seal {seal.number} lists {abs(more)} rows {what}.")
    elif digest_of_block(link_of(seal), [each.sealed.digest for each in entries]) != (
        seal.digest
    ):
        report.findings.append(
            f"Seal {seal.number}, or the list of its rows, was rewritten."
        )
    for entry in entries:
        name = f"Event {entry.sealed.event_id} of seal {seal.number}"
        if entry.event is None:
            report.findings.append(f"{name} was removed.")
        elif digest_of_event(entry.event) != entry.sealed.digest:
            report.findings.append(f"{name} was changed ({_told(entry.event)}).")
        elif _came_too_late(entry.event, latest):
            report.findings.append(f"{name} was inserted ({_told(entry.event)}).")


def _check_end(organisation_id: UUID, end: ChainEnd, report: Report) -> None:
    """Lists without a seal, and rows that stand among what was sealed before them."""
    beyond = AuditSealedEvent.objects.filter(
        organisation_id=organisation_id, number__gt=end.number
    )
    if beyond.exists():
        report.findings.append(f"Seals after seal {end.number} were removed.")
    unsealed = unsealed_events(organisation_id)
    report.unsealed = unsealed.count()
    if end.latest_at is None:
        return
    for event in unsealed.filter(at__lt=end.latest_at - LATEST_COMMIT).order_by("at"):
        report.findings.append(f"Event {event.pk} was inserted ({_told(event)}).")


def _came_too_late(event: AuditEvent, latest: datetime | None) -> bool:
    return latest is not None and event.at < latest - LATEST_COMMIT


def _check_noted(
    noted: Noted, digests: dict[int, str], purged_to: int, report: Report
) -> None:
    report.noted = len(noted)
    last = max(digests)
    if noted and max(noted) > last:
        report.findings.append(
            f"The end was removed: seal {max(noted)} was noted outside, "
            f"the last one here is {last}."
        )
    for number, known in sorted(noted.items()):
        if number >= purged_to and number in digests and known != {digests[number]}:
            report.findings.append(
                f"Seal {number} is not the one that was noted outside: "
                "it was rewritten."
            )


def _check_is_noted(newest: AuditSeal, noted: Noted, report: Report) -> None:
    if newest.number not in noted:
        report.findings.append(
            f"Seal {newest.number} is not noted outside: the anchor was shortened, "
            "or the worker cannot write it."
        )


def _told(event: AuditEvent) -> str:
    return f"{event.action}, {event.at.isoformat(timespec='seconds')}"
