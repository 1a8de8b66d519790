"""Secrets that only one computer's root half can read.

Ephemeral X25519, HKDF-SHA256, ChaCha20-Poly1305. The associated data binds the value
to its computer and place, so that it cannot be moved.

Source: RFC 7748, RFC 5869, RFC 8439.
"""

import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.types import Blob, PublicKey, Uid

_NONCE_BYTES = 12


class Sealed(msgspec.Struct, frozen=True):
    """A secret on the wire: the sender's ephemeral key, then nonce and ciphertext."""

    ephemeral_key: PublicKey
    box: Blob


def seal(secret: bytes, *, to: bytes, computer: Uid, place: str) -> Sealed:
    """Encrypt `secret` to the raw X25519 key `to`.

    `place` is ``setting:<path>`` or ``job:<id>:<parameter>``.
    """
    ephemeral = X25519PrivateKey.generate()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(to))
    public = ephemeral.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    nonce = os.urandom(_NONCE_BYTES)
    cipher = ChaCha20Poly1305(_derive(shared, public, to))
    box = nonce + cipher.encrypt(nonce, secret, _bound_to(computer, place))
    return Sealed(ephemeral_key=public, box=box)


def unseal(
    sealed: Sealed, *, key: X25519PrivateKey, computer: Uid, place: str
) -> bytes:
    """Decrypt what was sealed to `key` for this computer and place.

    Raises:
        ProtocolError: ``seal-invalid`` if anything of it was changed or moved.
    """
    own = key.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    try:
        shared = key.exchange(X25519PublicKey.from_public_bytes(sealed.ephemeral_key))
        cipher = ChaCha20Poly1305(_derive(shared, sealed.ephemeral_key, own))
        return cipher.decrypt(
            sealed.box[:_NONCE_BYTES],
            sealed.box[_NONCE_BYTES:],
            _bound_to(computer, place),
        )
    except (InvalidTag, ValueError) as error:
        raise ProtocolError(ErrorCode.SEAL_INVALID, place) from error


def _derive(shared: bytes, ephemeral: bytes, recipient: bytes) -> bytes:
    return HKDF(
        algorithm=hashes.SHA256(),
        length=32,
        salt=None,
        info=b"citizenpc/seal/1" + ephemeral + recipient,
    ).derive(shared)


def _bound_to(computer: Uid, place: str) -> bytes:
    return computer.bytes + b"\0" + place.encode()
