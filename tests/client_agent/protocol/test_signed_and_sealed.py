"""Signed documents and sealed secrets: nothing about them can be changed or moved."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from client_agent.protocol import codec, keys
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.sealing import Sealed, seal, unseal
from client_agent.protocol.signed import Kind, Signed, open_document, sign_document
from client_agent.protocol.state import DesiredState, Revocation
from tests.client_agent.protocol.messages import messages

KEY = Ed25519PrivateKey.generate()
PUBLIC = keys.raw_public(KEY.public_key())
SEAL_KEY = X25519PrivateKey.generate()
SEAL_PUBLIC = SEAL_KEY.public_key().public_bytes_raw()


def _flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8 % len(raw)] ^= 1 << bit % 8
    return bytes(changed)


def _refusal(signed: Signed, kind: Kind = Kind.STATE) -> ErrorCode:
    with pytest.raises(ProtocolError) as caught:
        open_document(signed, kind, DesiredState, public_key=PUBLIC)
    return caught.value.code


@given(messages(DesiredState))
def test_a_signed_document_survives_the_wire(state: DesiredState) -> None:
    signed = sign_document(Kind.STATE, state, KEY)
    assert signed.key == keys.fingerprint(PUBLIC)
    arrived = codec.decode(Signed, codec.encode(signed))
    opened = open_document(arrived, Kind.STATE, DesiredState, public_key=PUBLIC)
    assert opened == state


@given(messages(DesiredState), st.integers(0, 2**20))
def test_a_flipped_bit_in_payload_or_signature_is_refused(
    state: DesiredState, bit: int
) -> None:
    signed = sign_document(Kind.STATE, state, KEY)
    for changed in (
        msgspec.structs.replace(signed, payload=_flipped(signed.payload, bit)),
        msgspec.structs.replace(signed, signature=_flipped(signed.signature, bit)),
        msgspec.structs.replace(signed, payload=signed.payload[:-1]),
        msgspec.structs.replace(signed, payload=signed.payload + b" "),
    ):
        assert _refusal(changed) is ErrorCode.SIGNATURE_INVALID


@given(messages(Revocation), st.sampled_from(Kind), st.sampled_from(Kind))
def test_a_document_is_never_read_as_another_kind(
    document: Revocation, kind: Kind, other: Kind
) -> None:
    assume(kind is not other)
    signed = sign_document(kind, document, KEY)
    assert _refusal(signed, other) is ErrorCode.KIND_UNEXPECTED
    renamed = msgspec.structs.replace(signed, kind=other)
    assert _refusal(renamed, other) is ErrorCode.SIGNATURE_INVALID


@given(messages(Revocation))
def test_a_foreign_key_is_refused_whatever_the_envelope_names(
    document: Revocation,
) -> None:
    signed = sign_document(Kind.STATE, document, Ed25519PrivateKey.generate())
    assert _refusal(signed) is ErrorCode.SIGNATURE_INVALID
    renamed = msgspec.structs.replace(signed, key=keys.fingerprint(PUBLIC))
    assert _refusal(renamed) is ErrorCode.SIGNATURE_INVALID


@given(messages(Revocation))
def test_a_signed_document_of_another_shape_is_refused(document: Revocation) -> None:
    signed = sign_document(Kind.STATE, document, KEY)
    assert _refusal(signed) is ErrorCode.BODY_INVALID


@given(st.binary(max_size=200), st.uuids(), st.text(st.characters(codec="utf-8")))
def test_a_secret_comes_out_where_it_belongs(
    secret: bytes, computer: UUID, place: str
) -> None:
    sealed = seal(secret, to=SEAL_PUBLIC, computer=computer, place=place)
    arrived = codec.decode(Sealed, codec.encode(sealed))
    assert secret not in arrived.box or len(secret) < 8
    opened = unseal(arrived, key=SEAL_KEY, computer=computer, place=place)
    assert opened == secret
    again = seal(secret, to=SEAL_PUBLIC, computer=computer, place=place)
    assert (again.ephemeral_key, again.box) != (sealed.ephemeral_key, sealed.box)


@given(st.uuids(), st.uuids(), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_cannot_be_moved(
    computer: UUID, other: UUID, place: str, elsewhere: str
) -> None:
    assume(computer != other)
    assume(place != elsewhere)
    sealed = seal(b"secret", to=SEAL_PUBLIC, computer=computer, place=place)
    _stays_shut(sealed, SEAL_KEY, other, place)
    _stays_shut(sealed, SEAL_KEY, computer, elsewhere)
    _stays_shut(sealed, X25519PrivateKey.generate(), computer, place)


@given(st.integers(0, 2**20), st.integers(0, 60))
def test_a_changed_secret_stays_shut(bit: int, length: int) -> None:
    computer, place = UUID(int=7), "job:1:password"
    sealed = seal(b"secret", to=SEAL_PUBLIC, computer=computer, place=place)
    _stays_shut(
        msgspec.structs.replace(sealed, box=_flipped(sealed.box, bit)),
        SEAL_KEY,
        computer,
        place,
    )
    _stays_shut(
        msgspec.structs.replace(
            sealed, ephemeral_key=_flipped(sealed.ephemeral_key, bit % 255)
        ),
        SEAL_KEY,
        computer,
        place,
    )
    if length < len(sealed.box):
        cut = msgspec.structs.replace(sealed, box=sealed.box[:length])
        _stays_shut(cut, SEAL_KEY, computer, place)


def test_a_key_without_entropy_opens_nothing() -> None:
    weak = Sealed(ephemeral_key=bytes(32), box=bytes(40))
    _stays_shut(weak, SEAL_KEY, UUID(int=7), "job:1:password")


def _stays_shut(
    sealed: Sealed, key: X25519PrivateKey, computer: UUID, place: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        unseal(sealed, key=key, computer=computer, place=place)
    assert caught.value.code is ErrorCode.SEAL_INVALID
