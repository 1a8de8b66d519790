"""Enrolment: tokens, requests, the person's yes or no, revocation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from admin_site.accounts.models import User
from admin_site.audit.models import AuditEvent
from admin_site.computers import enrolment as enrolments
from admin_site.computers.enrolment import (
    PENDING_FOR,
    PortalNotReady,
    approve_enrolment,
    expire_enrolment,
    issue_token,
    refuse_enrolment,
    request_enrolment,
    revoke_computer,
    revoke_token,
)
from admin_site.computers.models import (
    Computer,
    ComputerKey,
    Enrolment,
    EnrolmentToken,
    SigningKey,
    StateDirty,
)
from admin_site.computers.states import ComputerStatus, EnrolmentState
from admin_site.core import clock
from admin_site.core.errors import NotAllowed, TransitionRefused
from admin_site.core.tenancy import scoped
from admin_site.tenancy.roles import Role
from admin_site.tenancy.services import create_organisation, create_site
from client_agent.protocol import keys
from client_agent.protocol.enrolment import parse_token
from client_agent.protocol.errors import ErrorCode, ProtocolError
from tests.admin_site.backend_objects import (
    BY,
    NOW,
    Device,
    Tenant,
    audit_actions,
    call_all,
    deferred,
    last_event,
    make_computer,
    make_enrolment,
    make_member,
    make_tenant,
    new_token,
    nothing_changes,
    run_deferred,
    run_task,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def norrby() -> Tenant:
    return make_tenant()


# --- tokens -------------------------------------------------------------------------


def test_a_token_is_shown_once_and_kept_as_a_digest(norrby: Tenant) -> None:
    with norrby.scope():
        issued = issue_token(
            site=norrby.site, by=norrby.admin, now=NOW, valid_for=DAY, uses=3
        )
        key = SigningKey.objects.get()
        row = EnrolmentToken.objects.get()
        event = last_event("enrolment_token.issued")
    parsed = parse_token(issued.text)
    assert parsed.fingerprint == key.fingerprint
    assert len(parsed.secret) == 24
    assert parsed.secret.encode() not in bytes(row.secret_hash)
    assert parsed.secret not in str(event.__dict__)
    assert (row.uses_left, row.expires_at) == (3, NOW + DAY)
    assert event.after["uses_left"] == 3


def test_before_the_key_is_made_there_is_no_token() -> None:
    organisation = create_organisation(name="N", slug="norrby", by=BY)
    with scoped([organisation.pk]):
        site = create_site(organisation=organisation, name="L", code="lib", by=BY)
        admin = make_member(
            Tenant(organisation, site, site, User()), Role.ORGANISATION_ADMIN
        )
        with pytest.raises(PortalNotReady):
            issue_token(site=site, by=admin, now=NOW, valid_for=DAY, uses=1)


def test_a_token_is_revoked_once(norrby: Tenant) -> None:
    new_token(norrby, now=NOW)
    with norrby.scope():
        token = EnrolmentToken.objects.get()
        for minutes in (1, 2):
            revoke_token(
                token=token, by=norrby.admin, now=NOW + timedelta(minutes=minutes)
            )
        token.refresh_from_db()
        assert token.revoked_at == NOW + timedelta(minutes=1)
        assert audit_actions().count("enrolment_token.revoked") == 1


# --- who may ------------------------------------------------------------------------


@pytest.fixture
def outsiders(norrby: Tenant) -> list[User]:
    """Those whose role or site does not allow any of this."""
    soderby = make_tenant("soderby")
    return [
        make_member(norrby, Role.AUDITOR),
        make_member(norrby, Role.FRONT_DESK, norrby.site),
        make_member(norrby, Role.ORGANISATION_ADMIN, norrby.other_site),
        soderby.admin,
    ]


def test_only_who_may_enrol_does(norrby: Tenant, outsiders: list[User]) -> None:
    enrolment, _device = make_enrolment(norrby)
    computer, _device = make_computer(norrby)
    now = clock.now()
    with norrby.scope():
        token = EnrolmentToken.objects.filter(site=norrby.site)[0]

    def attempts(by: User) -> list[Callable[[], object]]:
        day: dict[str, Any] = {"now": now, "valid_for": DAY, "uses": 1}
        return [
            lambda: issue_token(site=norrby.site, by=by, **day),
            lambda: revoke_token(token=token, by=by, now=now),
            lambda: approve_enrolment(enrolment=enrolment, name="x", by=by, now=now),
            lambda: refuse_enrolment(enrolment=enrolment, by=by, now=now),
            lambda: revoke_computer(computer=computer, by=by, now=now),
        ]

    for user in outsiders:
        for attempt in attempts(user):
            with nothing_changes(), norrby.scope(), pytest.raises(NotAllowed):
                attempt()


# --- a computer asks ----------------------------------------------------------------


def _request(
    tenant: Tenant, token: str, device: Device, now: datetime = NOW, **changes: Any
) -> Enrolment:
    with tenant.scope():
        return request_enrolment(
            organisation_id=tenant.id, claim=device.claim(token, **changes), now=now
        )


def test_a_request_makes_a_pending_computer_with_three_keys(norrby: Tenant) -> None:
    token, device = new_token(norrby, now=NOW), Device()
    enrolment = _request(norrby, token, device)
    assert deferred() == ["computers.sign_enrolment"]
    with norrby.scope():
        computer = Computer.objects.get()
        assert (computer.status, computer.name) == (ComputerStatus.PENDING, "pc-1")
        assert computer.site == norrby.site
        found = {k.purpose: bytes(k.public_key) for k in ComputerKey.objects.all()}
        event = last_event("enrolment.requested")
    assert found == {
        "link": device.link.public_key().public_bytes_raw(),
        "device": device.device.public_key().public_bytes_raw(),
        "seal": device.seal.public_key().public_bytes_raw(),
    }
    assert enrolment.pairing_code == keys.pairing_code(found["device"], enrolment.pk)
    assert (event.actor_kind, event.actor_id) == ("computer", str(computer.pk))
    assert token.partition(".")[0] not in str(event.after)


def test_the_same_token_and_key_are_the_same_enrolment(norrby: Tenant) -> None:
    token, device = new_token(norrby, uses=1, now=NOW), Device()
    first = _request(norrby, token, device)
    with nothing_changes():
        assert _request(norrby, token, device).pk == first.pk
        assert _request(norrby, token, device, NOW + 30 * DAY).pk == first.pk
    with norrby.scope():
        revoke_token(token=EnrolmentToken.objects.get(), by=norrby.admin, now=NOW)
    with nothing_changes():
        assert _request(norrby, token, device).pk == first.pk


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ("unknown", ErrorCode.ENROLMENT_TOKEN_UNKNOWN),
        ("expired", ErrorCode.ENROLMENT_TOKEN_EXPIRED),
        ("used up", ErrorCode.ENROLMENT_TOKEN_USED_UP),
        ("revoked", ErrorCode.ENROLMENT_TOKEN_UNKNOWN),
        ("theirs", ErrorCode.ENROLMENT_TOKEN_UNKNOWN),
    ],
)
def test_a_token_that_is_no_good_lets_nobody_in(
    norrby: Tenant, spoil: str, code: ErrorCode
) -> None:
    token, now = new_token(norrby, now=NOW), NOW
    if spoil == "unknown":
        token = "a" * 24 + token[24:]
    elif spoil == "expired":
        now = NOW + DAY
    elif spoil == "used up":
        _request(norrby, token, Device())
    elif spoil == "revoked":
        with norrby.scope():
            revoke_token(token=EnrolmentToken.objects.get(), by=norrby.admin, now=NOW)
    elif spoil == "theirs":
        token = new_token(make_tenant("soderby"), now=NOW)
    with nothing_changes(), pytest.raises(ProtocolError) as caught:
        _request(norrby, token, Device(), now)
    assert caught.value.code is code


def test_a_token_is_good_until_the_moment_it_expires(norrby: Tenant) -> None:
    token = new_token(norrby, now=NOW)
    _request(norrby, token, Device(), NOW + DAY - timedelta(microseconds=1))


@pytest.mark.django_db(transaction=True)
def test_a_token_for_one_lets_one_of_many_in() -> None:
    norrby = make_tenant()
    token = new_token(norrby, uses=1, now=NOW)

    def ask() -> bool:
        try:
            _request(norrby, token, Device())
        except ProtocolError as error:
            return error.code is not ErrorCode.ENROLMENT_TOKEN_USED_UP
        return True

    assert sorted(map(bool, call_all([ask] * 4))) == [False, False, False, True]
    with norrby.scope():
        assert Computer.objects.count() == 1
        assert EnrolmentToken.objects.get().uses_left == 0


@pytest.mark.django_db(transaction=True)
def test_one_computer_that_asks_twice_at_once_enrols_once() -> None:
    norrby = make_tenant()
    token, device = new_token(norrby, uses=5, now=NOW), Device()
    first, *others = call_all([lambda: _request(norrby, token, device).pk] * 3)
    assert others == [first, first]
    with norrby.scope():
        assert EnrolmentToken.objects.get().uses_left == 4


def test_long_names_are_cut_to_fit(norrby: Tenant) -> None:
    device = Device()
    facts = device.claim("x.y").facts.__class__(
        host_name="h" * 200,
        product=device.claim("x.y").facts.product,
        serial="s" * 500,
        model="m" * 500,
        os_release="o" * 500,
    )
    _request(norrby, new_token(norrby, now=NOW), device, facts=facts)
    with norrby.scope():
        assert Computer.objects.get().serial == "s" * 200


def test_the_organisation_of_a_token_is_known_before_any_scope(
    norrby: Tenant,
) -> None:
    secret = new_token(norrby, now=NOW).partition(".")[0]
    assert enrolments.organisation_of_token(secret) == norrby.id
    assert enrolments.organisation_of_token("a" * 24) is None


# --- a person decides ---------------------------------------------------------------


def test_approving_names_the_computer_and_has_its_state_compiled(
    norrby: Tenant,
) -> None:
    enrolment, _device = make_enrolment(norrby)
    with norrby.scope():
        before = Computer.objects.get().auth_version
        approve_enrolment(
            enrolment=enrolment, name="Reading room 1", by=norrby.admin, now=NOW
        )
        computer = Computer.objects.get()
        assert (computer.name, computer.status) == ("Reading room 1", "approved")
        assert computer.approved_at == NOW
        assert computer.auth_version == before + 1
        assert StateDirty.objects.filter(computer=computer).exists()
        event = last_event("computer.approved")
    assert event.before == {"name": "pc-1", "status": "pending"}
    assert event.after == {"name": "Reading room 1", "status": "approved"}
    assert event.actor_id == str(norrby.admin.pk)
    assert sorted(deferred()) == [
        "computers.forget_again",
        "computers.sign_enrolment",
        "desired_state.compile_dirty",
    ]


@pytest.mark.parametrize("first", ["approve", "refuse", "expire"])
@pytest.mark.parametrize("second", ["approve", "refuse", "expire"])
def test_a_request_is_decided_once(norrby: Tenant, first: str, second: str) -> None:
    enrolment, _device = make_enrolment(norrby)
    _decide(norrby, enrolment, first)
    with nothing_changes(), pytest.raises(TransitionRefused):
        _decide(norrby, enrolment, second)


def _decide(tenant: Tenant, enrolment: Enrolment, how: str) -> None:
    with tenant.scope():
        if how == "approve":
            approve_enrolment(enrolment=enrolment, name="pc", by=tenant.admin, now=NOW)
        elif how == "refuse":
            refuse_enrolment(enrolment=enrolment, by=tenant.admin, now=NOW)
        else:
            expire_enrolment(enrolment=enrolment, by=BY, now=NOW)


@pytest.mark.parametrize(
    ("how", "state", "action"),
    [
        ("refuse", EnrolmentState.REFUSED, "enrolment.refused"),
        ("expire", EnrolmentState.EXPIRED, "enrolment.expired"),
    ],
)
def test_who_is_turned_away_is_retired(
    norrby: Tenant, how: str, state: EnrolmentState, action: str
) -> None:
    enrolment, _device = make_enrolment(norrby)
    _decide(norrby, enrolment, how)
    with norrby.scope():
        enrolment.refresh_from_db()
        assert enrolment.state == state
        assert enrolment.signed_decision is None
        assert Computer.objects.get().status == ComputerStatus.RETIRED
        assert not StateDirty.objects.exists()
        assert audit_actions().count(action) == 1
    run_deferred()
    with norrby.scope():
        enrolment.refresh_from_db()
        assert enrolment.signed_decision is not None


@pytest.mark.django_db(transaction=True)
def test_two_people_who_decide_at_once_decide_once() -> None:
    norrby = make_tenant()
    enrolment, _device = make_enrolment(norrby)

    def decide(how: str) -> bool:
        try:
            _decide(norrby, enrolment, how)
        except TransitionRefused:
            return False
        return True

    made = call_all([lambda: decide("approve"), lambda: decide("refuse")] * 2)
    assert sorted(map(bool, made)) == [False, False, False, True]


def test_requests_that_nobody_decides_expire_after_a_week(norrby: Tenant) -> None:
    now = clock.now()
    old, _device = make_enrolment(norrby, now=now - PENDING_FOR - timedelta(minutes=1))
    young, _device = make_enrolment(norrby, now=now - PENDING_FOR + timedelta(hours=1))
    approved, _device = make_enrolment(norrby, now=now - 2 * PENDING_FOR)
    _decide(norrby, approved, "approve")
    run_task("computers.expire_enrolments", timestamp=0)
    with norrby.scope():
        for each, state in (
            (old, "expired"),
            (young, "pending"),
            (approved, "approved"),
        ):
            each.refresh_from_db()
            assert each.state == state
        event = last_event("enrolment.expired")
    assert (event.actor_kind, event.target_id) == ("system", str(old.pk))


# --- revoking -----------------------------------------------------------------------


def test_a_revoked_computer_is_out_for_good(norrby: Tenant) -> None:
    computer, _device = make_computer(norrby)
    with norrby.scope():
        before = Computer.objects.get().auth_version
        revoke_computer(computer=computer, by=norrby.admin, now=NOW)
        computer.refresh_from_db()
        assert (computer.status, computer.revoked_at) == ("revoked", NOW)
        assert computer.auth_version == before + 1
        assert computer.signed_revocation is None
        event = last_event("computer.revoked")
    assert (event.before, event.after) == (
        {"status": "approved"},
        {"status": "revoked"},
    )
    assert sorted(run_deferred()) == [
        "computers.forget_again",
        "computers.sign_revocation",
    ]
    with norrby.scope():
        assert Computer.objects.get().signed_revocation is not None
    with nothing_changes(), norrby.scope(), pytest.raises(TransitionRefused):
        revoke_computer(computer=computer, by=norrby.admin, now=NOW)


def test_every_write_leaves_an_event_and_no_secret(norrby: Tenant) -> None:
    token, device = new_token(norrby), Device()
    enrolment = _request(norrby, token, device, clock.now())
    _decide(norrby, enrolment, "approve")
    with norrby.scope():
        computer = Computer.objects.get()
        revoke_computer(computer=computer, by=norrby.admin, now=NOW)
        assert audit_actions()[-4:] == [
            "enrolment_token.issued",
            "enrolment.requested",
            "computer.approved",
            "computer.revoked",
        ]
        told = str([event.__dict__ for event in AuditEvent.objects.all()])
    assert token.partition(".")[0] not in told
