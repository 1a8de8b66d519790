"""What the worker does for computers: signing, and writing down who was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from admin_site.computers import agent_cache, signing
from admin_site.computers.enrolment import revoke_computer
from admin_site.computers.models import (
    Computer,
    Enrolment,
    Order,
    Presence,
    SigningKey,
)
from admin_site.computers.orders import ORDER_LIFETIME, give_order
from admin_site.core import clock
from client_agent.protocol.enrolment import EnrolmentDecision, EnrolmentStatus
from client_agent.protocol.orders import OrderDocument, OrderKind
from client_agent.protocol.signed import Kind, Signed, open_document
from client_agent.protocol.state import Revocation
from tests.admin_site.backend_objects import (
    NOW,
    Tenant,
    call_all,
    deferred,
    last_event,
    make_computer,
    make_enrolment,
    make_tenant,
    nothing_changes,
    run_deferred,
    run_task,
    statements,
)

pytestmark = pytest.mark.django_db

FLUSH = "computers.flush_presence"


@pytest.fixture
def norrby() -> Tenant:
    return make_tenant()


def _stored(raw: bytes | memoryview | None) -> Signed:
    assert raw is not None
    return signing.stored_document(raw)


def _public_key() -> bytes:
    return bytes(SigningKey.objects.get().public_key)


# --- signing ------------------------------------------------------------------------


def test_a_decision_is_signed_for_this_computer_and_key(norrby: Tenant) -> None:
    enrolment, device = make_enrolment(norrby)
    with norrby.scope():
        row = Enrolment.objects.get(pk=enrolment.pk)
        decision = open_document(
            _stored(row.signed_decision),
            Kind.ENROLMENT,
            EnrolmentDecision,
            public_key=_public_key(),
        )
    assert decision == EnrolmentDecision(
        enrolment_id=enrolment.pk,
        computer=device.uid,
        organisation=norrby.id,
        device_key=device.device.public_key().public_bytes_raw(),
        status=EnrolmentStatus.PENDING,
        poll_seconds=300,
    )


def test_a_revocation_is_signed_only_after_one(norrby: Tenant) -> None:
    computer, _device = make_computer(norrby)
    arguments = {"organisation_id": str(norrby.id), "computer_uid": str(computer.pk)}
    with nothing_changes():
        run_task("computers.sign_revocation", **arguments)
    with norrby.scope():
        revoke_computer(computer=computer, by=norrby.admin, now=NOW)
    for _each in range(2):
        run_task("computers.sign_revocation", **arguments)
    with norrby.scope():
        raw = Computer.objects.get().signed_revocation
        revocation = open_document(
            _stored(raw),
            Kind.REVOCATION,
            Revocation,
            public_key=_public_key(),
        )
    assert revocation == Revocation(computer=computer.pk, revoked_at=NOW)


def test_what_is_gone_is_not_signed(norrby: Tenant) -> None:
    with nothing_changes():
        run_task(
            "computers.sign_enrolment",
            organisation_id=str(norrby.id),
            enrolment_id=str(uuid4()),
        )
        run_task(
            "computers.sign_orders",
            organisation_id=str(norrby.id),
            computer_uid=str(uuid4()),
        )


def test_the_tasks_of_one_organisation_do_not_reach_into_another(
    norrby: Tenant,
) -> None:
    soderby = make_tenant("soderby")
    enrolment, _device = make_enrolment(norrby)
    with nothing_changes():
        run_task(
            "computers.sign_enrolment",
            organisation_id=str(soderby.id),
            enrolment_id=str(enrolment.pk),
        )


# --- orders -------------------------------------------------------------------------


def _order(tenant: Tenant, computer: Computer, job: str = "j") -> Order:
    with tenant.scope():
        return give_order(
            computer=computer,
            kind=OrderKind.CANCEL_JOB,
            arguments={"job": job},
            by=tenant.admin,
            now=NOW,
        )


def test_orders_are_numbered_audited_and_signed(norrby: Tenant) -> None:
    computer, _device = make_computer(norrby)
    other, _device = make_computer(norrby, "pc-2")
    numbers = [_order(norrby, each).seq for each in (computer, computer, other)]
    assert numbers == [1, 2, 1]
    assert deferred() == ["computers.sign_orders"] * 3
    with norrby.scope():
        event = last_event("order.cancel_job")
    assert event.after == {"seq": 1, "arguments": {"job": "j"}}
    run_deferred()
    with norrby.scope():
        for order in Order.objects.all():
            document = open_document(
                _stored(order.signed),
                Kind.ORDER,
                OrderDocument,
                public_key=_public_key(),
            )
            assert (document.computer, document.seq) == (order.computer_id, order.seq)
            assert document.not_after == NOW + ORDER_LIFETIME
            assert document.by == norrby.admin.name


def test_an_order_that_is_signed_stays_as_it_is(norrby: Tenant) -> None:
    computer, _device = make_computer(norrby)
    _order(norrby, computer)
    run_deferred()
    with nothing_changes():
        run_task(
            "computers.sign_orders",
            organisation_id=str(norrby.id),
            computer_uid=str(computer.pk),
        )


@pytest.mark.django_db(transaction=True)
def test_orders_given_at_once_have_no_gap_and_no_double() -> None:
    norrby = make_tenant()
    computer, _device = make_computer(norrby)
    made = call_all([lambda: _order(norrby, computer).seq] * 5)
    assert sorted(map(int, map(str, made))) == [1, 2, 3, 4, 5]


# --- presence -----------------------------------------------------------------------


def _seen_at(tenant: Tenant, uid: UUID) -> datetime | None:
    with tenant.scope():
        row = Presence.objects.filter(computer_id=uid).first()
        return row.seen_at if row else None


def _flush(now: datetime) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        run_task(FLUSH, timestamp=int(now.timestamp()))
    return statements(queries)


def test_who_was_seen_is_written_with_one_statement_for_all_tenants(
    norrby: Tenant,
) -> None:
    soderby = make_tenant("soderby")
    ours, _device = make_computer(norrby)
    theirs, _device = make_computer(soderby)
    stranger = uuid4()
    now = clock.now().replace(microsecond=0)
    for uid in (ours.pk, theirs.pk, stranger):
        agent_cache.mark_seen(uid, now=now - timedelta(seconds=30))
    assert len(_flush(now)) == 1
    assert _seen_at(norrby, ours.pk) == now - timedelta(seconds=30)
    assert _seen_at(soderby, theirs.pk) == now - timedelta(seconds=30)
    assert _seen_at(norrby, theirs.pk) is None
    with norrby.scope():
        assert Presence.objects.count() == 1


def test_nobody_seen_asks_nothing(norrby: Tenant) -> None:
    assert _flush(NOW) == []
    agent_cache.mark_seen(uuid4(), now=NOW - timedelta(minutes=3))
    assert _flush(NOW) == []


@pytest.mark.parametrize(
    ("minutes", "is_written"), [(1, False), (4, False), (5, False), (6, True)]
)
def test_a_row_is_written_again_only_when_it_is_old(
    norrby: Tenant, minutes: int, is_written: bool
) -> None:
    computer, _device = make_computer(norrby)
    first = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
    later = first + timedelta(minutes=minutes)
    for moment in (first, later):
        agent_cache.mark_seen(computer.pk, now=moment)
        _flush(moment)
    assert _seen_at(norrby, computer.pk) == (later if is_written else first)


def test_time_does_not_go_backwards(norrby: Tenant) -> None:
    computer, _device = make_computer(norrby)
    for moment in (NOW, NOW - timedelta(hours=1)):
        agent_cache.mark_seen(computer.pk, now=moment)
        _flush(moment)
    assert _seen_at(norrby, computer.pk) == NOW
