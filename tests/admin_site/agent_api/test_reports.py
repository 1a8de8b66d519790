"""Reports: each record once, in order, whatever is lost, repeated or made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.http import HttpResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin_site.agent_api.intake import EARLIEST, ReportGap, take_reports
from admin_site.computers.models import (
    Computer,
    ComputerEvent,
    Order,
    ReportStream,
    SettingCompliance,
)
from admin_site.computers.selectors import compliance_of_computer, events_of_computer
from admin_site.core import clock
from client_agent.protocol import codec, limits
from client_agent.protocol.reports import (
    Compliance,
    ComplianceRecord,
    EventRecord,
    OrderRecord,
    Record,
    ReportAnswer,
    ReportRequest,
)
from tests.admin_site.agent_api.conftest import Api, event_record, order_of
from tests.admin_site.backend_objects import (
    NOW,
    Device,
    call_all,
    code_of,
    make_computer,
    make_tenant,
    nothing_changes,
    problem_of,
)

STREAM = UUID(int=21)


def _report(
    api: Api, *records: Record, stream: UUID = STREAM, device: Device | None = None
) -> HttpResponse:
    request = ReportRequest(stream=stream, records=list(records))
    return api.ask("reports", request, device=device or api.device)


def _acknowledged(response: HttpResponse) -> int:
    assert response.status_code == 200, response.content
    return codec.decode(ReportAnswer, response.content).acknowledged


def _numbers(api: Api) -> list[int]:
    with api.norrby.scope():
        events = ComputerEvent.objects.filter(stream=STREAM)
        return sorted(events.values_list("seq", flat=True))


# --- sequence -----------------------------------------------------------------------


def test_records_are_stored_in_order_and_acknowledged(api: Api) -> None:
    assert _acknowledged(_report(api, *map(event_record, (1, 2, 3)))) == 3
    assert _acknowledged(_report(api, event_record(4))) == 4
    assert _numbers(api) == [1, 2, 3, 4]


def test_nothing_to_tell_is_acknowledged_as_far_as_it_goes(api: Api) -> None:
    assert _acknowledged(_report(api)) == 0
    assert _acknowledged(_report(api, event_record(1))) == 1
    assert _acknowledged(_report(api)) == 1


def test_repeated_records_are_stored_once(api: Api) -> None:
    first = [event_record(1), event_record(2)]
    for _each in range(3):
        assert _acknowledged(_report(api, *first)) == 2
    assert _acknowledged(_report(api, *first, event_record(3))) == 3
    assert _numbers(api) == [1, 2, 3]


@pytest.mark.parametrize(
    ("numbers", "wanted"), [((4,), 3), ((3, 5), 4), ((3, 4, 4), 5), ((2, 5), 3)]
)
def test_a_gap_is_told_with_the_number_wanted_and_stores_nothing(
    api: Api, numbers: tuple[int, ...], wanted: int
) -> None:
    _report(api, event_record(1), event_record(2))
    with nothing_changes():
        response = _report(api, *map(event_record, numbers))
    assert (response.status_code, code_of(response)) == (409, "report-gap")
    assert problem_of(response).offset == wanted


def test_a_new_stream_may_begin_anywhere(api: Api) -> None:
    assert _acknowledged(_report(api, event_record(500), event_record(501))) == 501
    assert _acknowledged(_report(api, event_record(7), stream=uuid4())) == 7
    with api.norrby.scope():
        assert ReportStream.objects.count() == 2


def test_a_new_stream_with_a_gap_is_not_begun(api: Api) -> None:
    with nothing_changes():
        response = _report(api, event_record(500), event_record(502))
    assert problem_of(response).offset == 501


def test_two_computers_with_the_same_stream_do_not_meet(api: Api) -> None:
    _other, device = make_computer(api.norrby, "pc-2")
    assert _acknowledged(_report(api, event_record(1), event_record(2))) == 2
    assert _acknowledged(_report(api, event_record(1), device=device)) == 1
    with api.norrby.scope():
        assert ComputerEvent.objects.filter(stream=STREAM).count() == 3


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 6)), max_size=8))
def test_whatever_is_sent_there_is_never_a_gap_nor_a_double(
    api: Api, batches: list[tuple[int, int]]
) -> None:
    stream = uuid4()
    with api.norrby.scope():
        acknowledged = first = 0
        for start, length in batches:
            records: list[Record] = [
                event_record(seq) for seq in range(start, start + length)
            ]
            request = ReportRequest(stream=stream, records=records)
            try:
                acknowledged = take_reports(
                    computer=api.computer, request=request, now=NOW
                )
            except ReportGap as gap:
                assert gap.offset == acknowledged + 1  # noqa: PT017
            stored = list(
                ComputerEvent.objects.filter(stream=stream)
                .order_by("seq")
                .values_list("seq", flat=True)
            )
            first = stored[0] if stored else acknowledged + 1
            assert stored == list(range(first, acknowledged + 1))


@pytest.mark.django_db(transaction=True)
def test_the_same_batch_twice_at_once_is_stored_once() -> None:
    norrby = make_tenant()
    computer, _device = make_computer(norrby)
    request = ReportRequest(
        stream=STREAM, records=[event_record(seq) for seq in range(1, 6)]
    )

    def take() -> int:
        with norrby.scope():
            return take_reports(computer=computer, request=request, now=clock.now())

    assert call_all([take] * 4) == [5] * 4
    with norrby.scope():
        assert ComputerEvent.objects.count() == 5


def test_as_many_records_as_allowed_and_not_one_more(api: Api) -> None:
    records = [event_record(seq) for seq in range(1, limits.REPORT_RECORDS + 1)]
    assert _acknowledged(_report(api, *records)) == limits.REPORT_RECORDS
    with nothing_changes():
        response = _report(api, *records, event_record(limits.REPORT_RECORDS + 1))
    assert code_of(response) == "body-invalid"


# --- what is told -------------------------------------------------------------------


def _compliance(seq: int, **changes: Any) -> ComplianceRecord:
    fields: dict[str, Any] = {
        "seq": seq,
        "at": NOW,
        "setting": "browser-start-pages",
        "status": Compliance.COMPLIANT,
        "revision": 7,
    }
    return ComplianceRecord(**fields | changes)


def _settings(api: Api, computer: Computer | None = None) -> dict[str, str]:
    with api.norrby.scope():
        rows = compliance_of_computer(computer or api.computer)
        return {row.setting: row.status for row in rows}


def test_the_last_word_on_each_setting_is_kept(api: Api) -> None:
    other, _device = make_computer(api.norrby, "pc-2")
    _report(
        api,
        _compliance(1, status=Compliance.PENDING),
        _compliance(2, setting="another", status=Compliance.FAILED, code="c" * 99),
        _compliance(3, status=Compliance.MENDED, detail="d" * 4000, revision=8),
    )
    assert _settings(api) == {"browser-start-pages": "mended", "another": "failed"}
    with api.norrby.scope():
        row = SettingCompliance.objects.get(setting="browser-start-pages")
        assert (row.revision, len(row.detail), row.at) == (8, 4000, NOW)
        assert SettingCompliance.objects.get(setting="another").code == "c" * 63
    _report(api, _compliance(4), event_record(5))
    assert _settings(api)["browser-start-pages"] == "compliant"
    assert _settings(api, other) == {}


def test_a_setting_that_was_removed_leaves_no_trace(api: Api) -> None:
    _report(api, _compliance(1), _compliance(2, setting="another"))
    _report(api, _compliance(3, status=Compliance.REMOVED))
    assert _settings(api) == {"another": "compliant"}
    _report(
        api,
        _compliance(4, setting="another", status=Compliance.REMOVED),
        _compliance(5, setting="another", status=Compliance.FAILED),
        _compliance(6, status=Compliance.FAILED),
        _compliance(7, status=Compliance.REMOVED),
    )
    assert _settings(api) == {"another": "failed"}


def test_an_order_is_acknowledged_once(api: Api) -> None:
    order_of(api.norrby, api.computer, api.job.pk)
    other, _device = make_computer(api.norrby, "pc-2")
    order_of(api.norrby, other, api.job.pk)
    _report(
        api,
        OrderRecord(seq=1, at=NOW, order=1),
        OrderRecord(seq=2, at=NOW, order=2, code="document-expired"),
        OrderRecord(seq=3, at=NOW, order=2, code="changed-its-mind"),
        OrderRecord(seq=4, at=NOW, order=2**53, code="never-given"),
    )
    _report(api, OrderRecord(seq=5, at=clock.now(), order=1, code="later"))
    with api.norrby.scope():
        told = {
            (order.computer_id, order.seq): (order.acknowledged_at, order.outcome)
            for order in Order.objects.all()
        }
    assert told == {
        (api.computer.pk, 1): (NOW, ""),
        (api.computer.pk, 2): (NOW, "document-expired"),
        (other.pk, 1): (None, ""),
    }


def test_events_come_newest_first_with_their_arguments(api: Api) -> None:
    arguments = {"revision": 3, "why": ["a", None], "nested": {"x": 1.5}}
    _report(
        api,
        event_record(1, at=NOW, code="state-refused", arguments=arguments),
        event_record(2, at=NOW - timedelta(days=1)),
    )
    with api.norrby.scope():
        first, second = events_of_computer(api.computer)
    assert (first.code, first.arguments) == ("state-refused", arguments)
    assert (second.seq, second.at) == (2, NOW - timedelta(days=1))


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00",
        "2999-01-01T00:00:00Z",
    ],
)
def test_a_time_that_no_clock_tells_is_stored_as_one_that_can_be_shown(
    api: Api, moment: str
) -> None:
    """Otherwise one computer's report would break every page that lists it."""
    body = (
        f'{{"stream":"{STREAM}","records":['
        f'{{"type":"event","seq":1,"at":"{moment}","code":"started"}},'
        f'{{"type":"compliance","seq":2,"at":"{moment}","setting":"s",'
        f'"status":"compliant","revision":1}},'
        f'{{"type":"order","seq":3,"at":"{moment}","order":1}}]}}'
    ).encode()
    assert api.ask("reports", body).status_code == 200
    with api.norrby.scope():
        times = [
            ComputerEvent.objects.get().at,
            SettingCompliance.objects.get().at,
            Order.objects.get().acknowledged_at,
        ]
    for at in times:
        assert at is not None
        assert EARLIEST <= at <= clock.now()


def test_a_past_time_is_believed(api: Api) -> None:
    battery_empty = datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC)
    _report(api, event_record(1, at=battery_empty))
    with api.norrby.scope():
        assert ComputerEvent.objects.get().at == battery_empty


@pytest.mark.parametrize(
    "record",
    [
        EventRecord(seq=2, at=NOW, code="started", arguments={"why": "a\0b"}),
        EventRecord(seq=2, at=NOW, code="started", arguments={"why": ["\0"]}),
        ComplianceRecord(
            seq=2,
            at=NOW,
            setting="s",
            status=Compliance.FAILED,
            revision=1,
            detail="a\0b",
        ),
        OrderRecord(seq=2, at=NOW, order=1, code="a\0b"),
    ],
)
def test_what_the_database_cannot_hold_is_refused_whole(
    api: Api, record: Record
) -> None:
    with nothing_changes():
        response = _report(api, event_record(1), record)
    assert (response.status_code, code_of(response)) == (400, "body-invalid")
