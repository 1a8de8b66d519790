"""Keys, purposes, pairing codes."""

from __future__ import annotations

import hashlib
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from client_agent.protocol import keys

KEY = Ed25519PrivateKey.generate()
PUBLIC = keys.raw_public(KEY.public_key())

public_keys = st.binary(min_size=32, max_size=32)
purposes = st.text(
    st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=30
)


@given(st.binary())
def test_base64url_comes_back_and_has_no_padding(raw: bytes) -> None:
    text = keys.b64url(raw)
    assert keys.from_b64url(text) == raw
    assert set(text).isdisjoint("+/=")


@given(st.text())
def test_what_is_not_base64url_is_a_value_error(text: str) -> None:
    try:
        raw = keys.from_b64url(text)
    except ValueError:
        return
    assert len(raw) <= len(text)


@given(public_keys, st.uuids())
def test_a_pairing_code_is_six_signs_that_nobody_mistakes(
    device_key: bytes, enrolment_id: UUID
) -> None:
    code = keys.pairing_code(device_key, enrolment_id)
    assert len(code) == 6
    assert set(code) <= set("23456789ABCDEFGHJKLMNPQRSTUVWXYZ")
    assert set(code).isdisjoint("01IO")
    assert keys.pairing_code(bytes(device_key), UUID(str(enrolment_id))) == code


@given(public_keys, st.uuids())
def test_a_pairing_code_is_the_first_thirty_bits_of_the_digest(
    device_key: bytes, enrolment_id: UUID
) -> None:
    digest = hashlib.sha256(device_key + enrolment_id.bytes).hexdigest()
    bits = f"{int(digest, 16):0256b}"[:30]
    places = [int(bits[start : start + 5], 2) for start in range(0, 30, 5)]
    expected = "".join("23456789ABCDEFGHJKLMNPQRSTUVWXYZ"[place] for place in places)
    assert keys.pairing_code(device_key, enrolment_id) == expected


def test_the_pairing_code_is_the_same_in_every_release() -> None:
    assert keys.pairing_code(bytes(range(32)), UUID(int=0)) == "XYS53Y"


@given(public_keys, st.uuids(), public_keys, st.uuids())
def test_another_key_or_enrolment_has_another_code(
    one: bytes, first: UUID, other: bytes, second: UUID
) -> None:
    # Of 2**30 codes; hypothesis does not find a collision, an attacker must.
    assume(one != other)
    assume(first != second)
    codes = {
        keys.pairing_code(key, enrolment_id)
        for key in (one, other)
        for enrolment_id in (first, second)
    }
    assert len(codes) == 4


@given(public_keys)
def test_a_fingerprint_names_a_key_in_43_signs(public_key: bytes) -> None:
    assert len(keys.fingerprint(public_key)) == 43
    assert keys.fingerprint(public_key) != keys.fingerprint(public_key[::-1] + b"x")


@given(purposes, st.binary(max_size=100))
def test_a_signature_is_good_for_what_was_signed(purpose: str, payload: bytes) -> None:
    signature = keys.sign(KEY, purpose, payload)
    assert keys.is_signed(PUBLIC, purpose, payload, signature)


@pytest.mark.parametrize("purpose", ["", "a\0", "\0", "signé"])
def test_a_purpose_that_could_run_into_the_payload_is_refused(purpose: str) -> None:
    with pytest.raises(ValueError, match="purpose"):
        keys.sign(KEY, purpose, b"")
    assert not keys.is_signed(PUBLIC, purpose, b"", bytes(64))


@given(purposes, purposes, st.binary(max_size=100))
def test_a_signature_serves_one_purpose(
    purpose: str, other: str, payload: bytes
) -> None:
    assume(purpose != other)
    signature = keys.sign(KEY, purpose, payload)
    assert not keys.is_signed(PUBLIC, other, payload, signature)


@given(purposes, st.binary(max_size=40), st.binary(max_size=40))
def test_purpose_and_payload_cannot_be_divided_anew(
    purpose: str, first: bytes, second: bytes
) -> None:
    """A sign of the payload never becomes one of the purpose, nor the reverse."""
    signature = keys.sign(KEY, purpose, first + second)
    assume(first)
    try:
        longer = purpose + first.decode("ascii")
    except UnicodeDecodeError:
        return
    assert not keys.is_signed(PUBLIC, longer, second, signature)


@given(st.binary(max_size=100), st.data())
def test_a_flipped_bit_is_seen(payload: bytes, data: st.DataObject) -> None:
    signature = keys.sign(KEY, "state", payload)
    bits = 8 * len(signature)
    assert not keys.is_signed(
        PUBLIC,
        "state",
        payload,
        flipped(signature, data.draw(st.integers(0, bits - 1))),
    )
    if payload:
        place = data.draw(st.integers(0, 8 * len(payload) - 1))
        assert not keys.is_signed(PUBLIC, "state", flipped(payload, place), signature)


@given(public_keys, st.binary(max_size=100))
def test_a_foreign_key_or_rubbish_signs_nothing(key: bytes, signature: bytes) -> None:
    assume(key != PUBLIC)
    ours = keys.sign(KEY, "state", b"payload")
    assert not keys.is_signed(key, "state", b"payload", ours)
    assert not keys.is_signed(PUBLIC, "state", b"payload", signature)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_signs_nothing(length: int) -> None:
    assert not keys.is_signed(b"k" * length, "state", b"", b"s" * 64)


def flipped(raw: bytes, bit: int) -> bytes:
    """`raw` with one bit turned over."""
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
