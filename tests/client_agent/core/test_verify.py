"""Which documents are believed: kind, signature, audience, revision, time."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from client_agent import verify
from client_agent.accepted import AcceptedState
from client_agent.clock import Clock
from client_agent.key_files import public_bytes
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.jobs import JobDocument, Risk, ScriptReference
from client_agent.protocol.orders import OrderDocument, OrderKind
from client_agent.protocol.signed import Kind, Signed, sign_document
from client_agent.protocol.state import DesiredState, Revocation
from client_agent.verify import Trust

KEY = Ed25519PrivateKey.generate()
TRUST = Trust(computer=uuid4(), signing_key=public_bytes(KEY))
AT = datetime(2026, 6, 1, tzinfo=UTC)


def state(revision: int = 5, **changes: Any) -> Signed:
    fields: dict[str, Any] = {
        "computer": TRUST.computer,
        "revision": revision,
        "compiled_at": AT,
        "settings": {},
        **changes,
    }
    return sign_document(Kind.STATE, DesiredState(**fields), KEY)


def job(**changes: Any) -> Signed:
    script = ScriptReference(
        slug="s", version="1", sha256="0" * 64, size_bytes=1, risk=Risk.READS
    )
    fields: dict[str, Any] = {
        "id": uuid4(),
        "computer": TRUST.computer,
        "script": script,
        "arguments": {},
        "not_before": AT,
        "not_after": AT + timedelta(hours=1),
        **changes,
    }
    return sign_document(Kind.JOB, JobDocument(**fields), KEY)


def order(**changes: Any) -> Signed:
    fields: dict[str, Any] = {
        "computer": TRUST.computer,
        "seq": 3,
        "kind": OrderKind.CANCEL_JOB,
        "arguments": {},
        "not_after": AT,
        **changes,
    }
    return sign_document(Kind.ORDER, OrderDocument(**fields), KEY)


def revocation() -> Signed:
    document = Revocation(computer=TRUST.computer, revoked_at=AT)
    return sign_document(Kind.REVOCATION, document, KEY)


OPENERS: list[tuple[Signed, Callable[[Signed], object]]] = [
    (state(), lambda s: verify.open_state(s, TRUST, accepted=None)),
    (job(), lambda s: verify.open_job(s, TRUST, now=AT)),
    (order(), lambda s: verify.open_order(s, TRUST)),
    (revocation(), lambda s: verify.open_revocation(s, TRUST)),
]


def refused(code: ErrorCode, open_it: Callable[[], object]) -> None:
    with pytest.raises(ProtocolError) as caught:
        open_it()
    assert caught.value.code is code


@pytest.mark.parametrize(("good", "open_it"), OPENERS)
@pytest.mark.parametrize(("other", "_open"), OPENERS)
def test_no_document_passes_for_another_kind(
    good: Signed,
    open_it: Callable[[Signed], object],
    other: Signed,
    _open: object,
) -> None:
    if good is other:
        open_it(good)
        return
    refused(ErrorCode.KIND_UNEXPECTED, lambda: open_it(other))
    renamed = Signed(good.kind, other.payload, other.signature, other.key)
    refused(ErrorCode.SIGNATURE_INVALID, lambda: open_it(renamed))


@pytest.mark.parametrize(("good", "open_it"), OPENERS)
@given(data=st.data())
def test_any_changed_byte_is_refused(
    good: Signed, open_it: Callable[[Signed], object], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(good.payload) - 1))
    bit = data.draw(st.integers(0, 7))
    payload = bytearray(good.payload)
    payload[place] ^= 1 << bit
    changed = Signed(good.kind, bytes(payload), good.signature, good.key)
    refused(ErrorCode.SIGNATURE_INVALID, lambda: open_it(changed))


def test_other_computers_documents_are_refused() -> None:
    other = uuid4()
    for signed, open_it in [
        (state(computer=other), OPENERS[0][1]),
        (job(computer=other), OPENERS[1][1]),
        (order(computer=other), OPENERS[2][1]),
    ]:
        with pytest.raises(ProtocolError) as caught:
            open_it(signed)
        assert caught.value.code is ErrorCode.AUDIENCE_WRONG


@given(st.integers(0, 20), st.integers(0, 20), st.booleans())
def test_revisions_only_grow(first: int, second: int, is_other: bool) -> None:
    accepted = state(first)
    offered = state(second, poll_seconds=7) if is_other else state(second)
    if second > first or (second == first and not is_other):
        verify.open_state(offered, TRUST, accepted=accepted)
    else:
        refused(
            ErrorCode.STATE_REVISION_OLD,
            lambda: verify.open_state(offered, TRUST, accepted=accepted),
        )


def test_state_of_an_earlier_enrolment_does_not_count() -> None:
    before = state(99, computer=uuid4())
    assert verify.open_state(state(1), TRUST, accepted=before).revision == 1


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (-61, ErrorCode.DOCUMENT_NOT_YET_VALID),
        (-59, None),
        (3659, None),
        (3661, ErrorCode.DOCUMENT_EXPIRED),
    ],
)
def test_jobs_have_their_time(seconds: int, code: ErrorCode | None) -> None:
    now, signed = AT + timedelta(seconds=seconds), job()
    if code is None:
        verify.open_job(signed, TRUST, now=now)
    else:
        refused(code, lambda: verify.open_job(signed, TRUST, now=now))
    verify.open_job_of_any_time(signed, TRUST)


def test_orders_are_obeyed_once_and_in_time() -> None:
    document = verify.open_order(order(), TRUST)
    verify.check_order(document, last_seq=2, now=AT)
    refused(
        ErrorCode.DOCUMENT_REPLAYED,
        lambda: verify.check_order(document, last_seq=3, now=AT),
    )
    late = AT + timedelta(minutes=2)
    refused(
        ErrorCode.DOCUMENT_EXPIRED,
        lambda: verify.check_order(document, last_seq=2, now=late),
    )


def test_clock_is_never_before_what_has_passed() -> None:
    clock = Clock(AT)
    future = datetime.now(UTC) + timedelta(days=1)
    assert clock.now() < future
    clock.raise_floor(future)
    assert clock.now() == future
    clock.raise_floor(AT)
    assert clock.now() == future
    assert not clock.jumped()


def test_accepted_state_survives_and_changed_files_do_not_count(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.json"
    accepted = AcceptedState(path, TRUST)
    assert accepted.accept(state(5), '"a"')
    assert not accepted.accept(state(5), '"b"')
    accepted.order_seen(9)
    again = AcceptedState(path, TRUST)
    assert again.state == accepted.state
    assert (again.etag, again.last_order) == ('"b"', 9)
    stranger = AcceptedState(path, Trust(uuid4(), TRUST.signing_key))
    assert (stranger.state, stranger.last_order) == (None, 0)
    stored = json.loads(path.read_bytes())
    stored["signed"]["payload"] = state(6).payload.hex()
    path.write_text(json.dumps(stored))
    assert AcceptedState(path, TRUST).state is None


@given(st.binary(max_size=100))
def test_any_file_is_no_state(raw: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "state.json"
        path.write_bytes(raw)
        assert AcceptedState(path, TRUST).state is None
