"""Documents of the portal that make a computer act, in a signed envelope.

The payload is the exact bytes that were signed; nobody re-encodes them. Its kind is
bound into the signature, so that a job can never be read as a state.
"""

from enum import Enum
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client_agent.protocol import codec, keys
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.types import Blob, Fingerprint, Signature

T = TypeVar("T")


class Kind(str, Enum):
    ENROLMENT = "enrolment"
    STATE = "state"
    JOB = "job"
    ORDER = "order"
    REVOCATION = "revocation"


class Signed(msgspec.Struct, frozen=True):
    """Envelope: `payload` is JSON of the kind's struct, `key` names the signer."""

    kind: Kind
    payload: Blob
    signature: Signature
    key: Fingerprint


def sign_document(kind: Kind, document: object, key: Ed25519PrivateKey) -> Signed:
    """Sign `document` with an organisation's signing key."""
    payload = codec.encode(document)
    return Signed(
        kind=kind,
        payload=payload,
        signature=keys.sign(key, kind.value, payload),
        key=keys.fingerprint(keys.raw_public(key.public_key())),
    )


def open_document(
    signed: Signed, kind: Kind, shape: type[T], *, public_key: bytes
) -> T:
    """Return the document inside after checking kind, signature and shape.

    Who calls checks audience, revision and validity; only those know them.

    Raises:
        ProtocolError: ``kind-unexpected``, ``signature-invalid``, ``body-invalid``.
    """
    if signed.kind is not kind:
        raise ProtocolError(ErrorCode.KIND_UNEXPECTED, signed.kind.value)
    if not keys.is_signed(public_key, kind.value, signed.payload, signed.signature):
        raise ProtocolError(ErrorCode.SIGNATURE_INVALID, kind.value)
    return codec.decode(shape, signed.payload)
