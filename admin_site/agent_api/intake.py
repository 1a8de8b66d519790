"""Taking in what computers report, each record once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from django.db import transaction

from admin_site.computers import authority
from admin_site.computers.models import (
    Computer,
    ComputerEvent,
    Facts,
    Order,
    ReportStream,
    SettingCompliance,
)
from admin_site.computers.states import COMPUTER_TRANSITIONS, ComputerStatus
from admin_site.core import publish
from admin_site.core.state_table import checked_transition
from client_agent.protocol import codec, limits
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.facts import FactsRequest, facts_after, facts_digest
from client_agent.protocol.reports import (
    Compliance,
    ComplianceRecord,
    EventRecord,
    OrderRecord,
    Record,
    ReportRequest,
)
from client_agent.protocol.socket import Hint

R = TypeVar("R", ComplianceRecord, EventRecord, OrderRecord)

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class ReportGap(ProtocolError):
    """Records beyond what is stored; `offset` is the sequence number wanted."""

    def __init__(self, offset: int) -> None:
        super().__init__(ErrorCode.REPORT_GAP)
        self.offset = offset


@transaction.atomic
def note_contact(*, computer: Computer, now: datetime) -> None:
    """The first fetch of a state makes an approved computer active."""
    if computer.status != ComputerStatus.APPROVED:
        return
    computer.status = checked_transition(
        COMPUTER_TRANSITIONS,
        current=ComputerStatus(computer.status),
        to=ComputerStatus.ACTIVE,
    )
    computer.save(update_fields=["status"])
    authority.bump_auth_version(
        [computer], organisation_id=computer.organisation_id, nudge=Hint.JOBS
    )
    publish.hint_pages("site", computer.site_id, "computers")


@transaction.atomic
def take_reports(*, computer: Computer, request: ReportRequest, now: datetime) -> int:
    """Store records above what this stream has acknowledged; returns the new mark.

    A time that no clock can mean, or in the future, is stored as the nearest that it
    can be. Locks the stream's row.

    Raises:
        ReportGap: the records have a gap or do not follow on what is stored.
    """
    stream, _created = ReportStream.objects.select_for_update().get_or_create(
        computer=computer,
        stream=request.stream,
        defaults={
            "organisation_id": computer.organisation_id,
            "updated_at": now,
            # A stream that is new to us may begin anywhere: we were restored, or it
            # had to drop its oldest records.
            "acknowledged": max(request.records[0].seq - 1, 0)
            if request.records
            else 0,
        },
    )
    fresh = [each for each in request.records if each.seq > stream.acknowledged]
    for record in fresh:
        if record.seq != stream.acknowledged + 1:
            raise ReportGap(stream.acknowledged + 1)
        stream.acknowledged = record.seq
    _store_events(computer, request.stream, _of_kind(EventRecord, fresh), now)
    _store_compliance(computer, _of_kind(ComplianceRecord, fresh), now)
    _acknowledge_orders(computer, _of_kind(OrderRecord, fresh), now)
    stream.updated_at = now
    stream.save(update_fields=["acknowledged", "updated_at"])
    if request.records:
        publish.hint_pages("site", computer.site_id, "computers")
    return int(stream.acknowledged)


@transaction.atomic
def take_facts(*, computer: Computer, request: FactsRequest, now: datetime) -> None:
    """Merge changed facts. Locks the computer's facts.

    Raises:
        ProtocolError: ``facts-digest-wrong``: the agent is to send everything;
            ``body-too-large``: more than it could ever send at once.
    """
    facts, _created = Facts.objects.select_for_update().get_or_create(
        computer=computer,
        defaults={"organisation_id": computer.organisation_id, "updated_at": now},
    )
    merged = facts_after(facts.data, request)
    if facts_digest(merged) != request.digest:
        raise ProtocolError(ErrorCode.FACTS_DIGEST_WRONG)
    if len(codec.encode(merged)) > limits.FACTS_BYTES:
        raise ProtocolError(ErrorCode.BODY_TOO_LARGE, "all facts together")
    facts.data = merged
    facts.digest = request.digest
    facts.updated_at = now
    facts.save()
    publish.hint_pages("site", computer.site_id, "computers")


def _of_kind(kind: type[R], records: Sequence[Record]) -> list[R]:
    return [each for each in records if isinstance(each, kind)]


def _at(record: Record, now: datetime) -> datetime:
    return max(EARLIEST, min(record.at, now))


def _store_events(
    computer: Computer, stream: UUID, records: Sequence[EventRecord], now: datetime
) -> None:
    ComputerEvent.objects.bulk_create(
        ComputerEvent(
            organisation_id=computer.organisation_id,
            computer=computer,
            stream=stream,
            seq=record.seq,
            at=_at(record, now),
            code=record.code,
            arguments=record.arguments,
        )
        for record in records
    )


def _store_compliance(
    computer: Computer, records: Sequence[ComplianceRecord], now: datetime
) -> None:
    """Keep the last word on each setting; a setting that was removed has none."""
    latest = {record.setting: record for record in records}
    removed = [
        setting
        for setting, record in latest.items()
        if record.status is Compliance.REMOVED
    ]
    if removed:
        SettingCompliance.objects.for_organisation(computer.organisation_id).filter(
            computer=computer, setting__in=removed
        ).delete()
    SettingCompliance.objects.bulk_create(
        [
            SettingCompliance(
                organisation_id=computer.organisation_id,
                computer=computer,
                setting=setting,
                status=record.status.value,
                revision=record.revision,
                code=record.code[:63],
                detail=record.detail,
                at=_at(record, now),
            )
            for setting, record in latest.items()
            if record.status is not Compliance.REMOVED
        ],
        update_conflicts=True,
        unique_fields=["computer", "setting"],
        update_fields=["status", "revision", "code", "detail", "at"],
    )


def _acknowledge_orders(
    computer: Computer, records: Sequence[OrderRecord], now: datetime
) -> None:
    """Write the first word on each order; a later one changes nothing."""
    told = {record.order: record for record in reversed(records)}
    if not told:
        return
    orders = list(
        Order.objects.for_organisation(computer.organisation_id).filter(
            computer=computer, seq__in=told, acknowledged_at__isnull=True
        )
    )
    for order in orders:
        order.acknowledged_at = _at(told[order.seq], now)
        order.outcome = told[order.seq].code[:63]
    Order.objects.bulk_update(orders, ["acknowledged_at", "outcome"])
