"""Keys, fingerprints and the code that two people compare at enrolment."""

import base64
import hashlib
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

_PAIRING_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 signs that are not mistaken for one another when read aloud or by eye."""


def b64url(raw: bytes) -> str:
    """Base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def from_b64url(text: str) -> bytes:
    """Reverse `b64url`.

    Raises:
        ValueError: `text` is not base64url.
    """
    padded = text + "=" * (-len(text) % 4)
    return base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)


def raw_public(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def fingerprint(public_key: bytes) -> str:
    """43 characters that name a raw public key."""
    return b64url(hashlib.sha256(public_key).digest())


def pairing_code(device_key: bytes, enrolment_id: UUID) -> str:
    """Six characters that staff and the computer's screen show at enrolment.

    30 bits of SHA-256 over the device key and the portal's random enrolment id.
    Never sent: each side computes it, so equal codes mean the same key.
    """
    digest = hashlib.sha256(device_key + enrolment_id.bytes).digest()
    bits = int.from_bytes(digest[:4], "big") >> 2
    return "".join(
        _PAIRING_ALPHABET[(bits >> shift) & 31] for shift in range(25, -1, -5)
    )


def sign(key: Ed25519PrivateKey, purpose: str, payload: bytes) -> bytes:
    """Signature over `payload` for one purpose, so that none serves another."""
    return key.sign(_with_purpose(purpose, payload))


def is_signed(
    public_key: bytes, purpose: str, payload: bytes, signature: bytes
) -> bool:
    """Whether `signature` was made by the holder of `public_key` for `purpose`."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            signature, _with_purpose(purpose, payload)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _with_purpose(purpose: str, payload: bytes) -> bytes:
    if not purpose or not purpose.isascii() or "\0" in purpose:
        raise ValueError("a purpose is ASCII text, never empty and without NUL")
    return b"citizenpc/" + purpose.encode("ascii") + b"\0" + payload
