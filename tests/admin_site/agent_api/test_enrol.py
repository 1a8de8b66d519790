"""``POST /agent/v1/enrolments``: first contact, and waiting for an answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.http import HttpResponse

from admin_site.computers.enrolment import (
    approve_enrolment,
    refuse_enrolment,
    revoke_token,
)
from admin_site.computers.models import Computer, Enrolment, EnrolmentToken
from admin_site.core import clock
from client_agent.protocol import codec, keys, limits
from client_agent.protocol.enrolment import (
    PROOF_PURPOSE,
    EnrolmentAnswer,
    EnrolmentDecision,
    EnrolmentRequest,
    EnrolmentStatus,
)
from client_agent.protocol.signed import Kind, open_document
from tests.admin_site.backend_objects import (
    Device,
    Tenant,
    code_of,
    make_tenant,
    new_token,
    nothing_changes,
    run_deferred,
    send,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def norrby() -> Tenant:
    return make_tenant()


def _post(message: object) -> HttpResponse:
    body = message if isinstance(message, bytes) else codec.encode(message)
    return send("POST", "/agent/v1/enrolments", body)


def _answer(response: HttpResponse) -> EnrolmentAnswer:
    assert response.status_code == 200, response.content
    return codec.decode(EnrolmentAnswer, response.content)


def _decision(answer: EnrolmentAnswer) -> EnrolmentDecision:
    assert answer.decision is not None
    return open_document(
        answer.decision,
        Kind.ENROLMENT,
        EnrolmentDecision,
        public_key=answer.signing_key,
    )


def test_a_computer_asks_until_a_person_has_decided(norrby: Tenant) -> None:
    token, device = new_token(norrby), Device()
    request = device.enrolment(token)
    first = _answer(_post(request))
    assert first.decision is None
    assert first.retry_seconds == 1
    assert keys.fingerprint(first.signing_key) == token.partition(".")[2]
    run_deferred()
    pending = _decision(_answer(_post(request)))
    assert pending.status is EnrolmentStatus.PENDING
    assert pending.device_key == device.device.public_key().public_bytes_raw()
    with norrby.scope():
        enrolment = Enrolment.objects.get(pk=first.enrolment_id)
        assert pending.computer == enrolment.computer_id
        approve_enrolment(
            enrolment=enrolment, name="pc", by=norrby.admin, now=clock.now()
        )
    undecided = _answer(_post(request))
    assert undecided.decision is None
    run_deferred()
    approved = _decision(_answer(_post(request)))
    assert approved.status is EnrolmentStatus.APPROVED
    assert approved.computer == pending.computer
    device.uid = approved.computer
    assert device.ask("GET", "state").status_code == 200


def test_who_is_refused_is_told_so_signed(norrby: Tenant) -> None:
    token, device = new_token(norrby), Device()
    request = device.enrolment(token)
    _post(request)
    with norrby.scope():
        refuse_enrolment(
            enrolment=Enrolment.objects.get(), by=norrby.admin, now=clock.now()
        )
    run_deferred()
    decision = _decision(_answer(_post(request)))
    assert decision.status is EnrolmentStatus.REFUSED
    device.uid = decision.computer
    assert code_of(device.ask("GET", "state")) == "computer-revoked"


def test_a_pending_computer_is_known_and_has_nothing(norrby: Tenant) -> None:
    device = Device()
    _post(device.enrolment(new_token(norrby)))
    with norrby.scope():
        device.uid = Computer.objects.get().pk
    response = device.ask("GET", "state")
    assert (response.status_code, code_of(response)) == (404, "not-found")


def test_asking_again_is_the_same_enrolment(norrby: Tenant) -> None:
    token, device = new_token(norrby, uses=1), Device()
    first = _answer(_post(device.enrolment(token)))
    with nothing_changes():
        again = _answer(_post(device.enrolment(token)))
        # Other facts or keys do not change what the first request said.
        other = Device(device=device.device)
        third = _answer(_post(other.enrolment(token)))
    assert again == third == first


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ("unknown", "enrolment-token-unknown"),
        ("expired", "enrolment-token-expired"),
        ("used up", "enrolment-token-used-up"),
        ("revoked", "enrolment-token-unknown"),
    ],
)
def test_a_token_that_is_no_good(norrby: Tenant, spoil: str, code: str) -> None:
    now = clock.now()
    token = new_token(norrby, now=now - timedelta(days=2 if spoil == "expired" else 0))
    if spoil == "unknown":
        token = "a" * 24 + token[24:]
    elif spoil == "used up":
        assert _post(Device().enrolment(token)).status_code == 200
    elif spoil == "revoked":
        with norrby.scope():
            revoke_token(token=EnrolmentToken.objects.get(), by=norrby.admin, now=now)
    with nothing_changes():
        response = _post(Device().enrolment(token))
    assert (response.status_code, code_of(response)) == (403, code)


def test_a_proof_must_be_of_the_device_key_over_exactly_this(norrby: Tenant) -> None:
    token, device = new_token(norrby), Device()
    good = device.enrolment(token)
    stranger = Ed25519PrivateKey.generate()
    changed = codec.encode(device.claim(token, protocol_version=2))
    bad: list[EnrolmentRequest] = [
        msgspec.structs.replace(good, proof=bytes(64)),
        msgspec.structs.replace(good, claim=changed),
        msgspec.structs.replace(
            good, proof=keys.sign(stranger, PROOF_PURPOSE, good.claim)
        ),
        msgspec.structs.replace(
            good, proof=keys.sign(device.link, PROOF_PURPOSE, good.claim)
        ),
        msgspec.structs.replace(
            good, proof=keys.sign(device.device, "receipt", good.claim)
        ),
    ]
    for request in bad:
        with nothing_changes():
            response = _post(request)
        assert (response.status_code, code_of(response)) == (
            403,
            "enrolment-proof-invalid",
        )


@pytest.mark.parametrize(
    "claim",
    [
        b"",
        b"{}",
        b"[" * 5000,
        b'{"token_secret":"short"}',
        b"\xff\xfe",
    ],
)
def test_a_claim_that_is_none_is_refused(norrby: Tenant, claim: bytes) -> None:
    device = Device()
    proof = keys.sign(device.device, PROOF_PURPOSE, claim)
    for body in (EnrolmentRequest(claim=claim, proof=proof), claim):
        with nothing_changes():
            response = _post(body)
        assert (response.status_code, code_of(response)) == (400, "body-invalid")


@pytest.mark.parametrize(
    "facts",
    [
        {"host_name": "pc\0"},
        {"serial": "\0"},
        {"mac_addresses": ["\0"]},
    ],
)
def test_what_the_database_cannot_hold_is_refused_whole(
    norrby: Tenant, facts: dict[str, Any]
) -> None:
    token, device = new_token(norrby), Device()
    good = device.claim(token).facts
    with nothing_changes():
        response = _post(
            device.enrolment(token, facts=msgspec.structs.replace(good, **facts))
        )
    assert (response.status_code, code_of(response)) == (400, "body-invalid")
    assert _post(device.enrolment(token)).status_code == 200


def test_a_key_that_nothing_can_be_sealed_to_is_refused(norrby: Tenant) -> None:
    """Its secrets could not be sent, and runs with others would fail with it."""
    token, device = new_token(norrby), Device()
    with nothing_changes():
        response = _post(device.enrolment(token, seal_key=bytes(32)))
    assert (response.status_code, code_of(response)) == (400, "body-invalid")


def test_other_methods_and_sizes_are_refused(norrby: Tenant) -> None:
    response = send("GET", "/agent/v1/enrolments")
    assert (response.status_code, code_of(response)) == (405, "method-not-allowed")
    response = _post(b" " * (limits.BODY_BYTES + 1))
    assert (response.status_code, code_of(response)) == (413, "body-too-large")
