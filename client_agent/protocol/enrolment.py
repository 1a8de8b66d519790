"""First contact: a computer presents its keys, a person says yes."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from client_agent.protocol import keys
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.signed import Signed
from client_agent.protocol.types import (
    Blob,
    Fingerprint,
    Name,
    PositiveSeconds,
    PublicKey,
    ShortText,
    Signature,
    Uid,
)

PROOF_PURPOSE = "enrolment-proof"


class Product(str, enum.Enum):
    DESKTOP = "desktop"
    KIOSK = "kiosk"


class EnrolmentStatus(str, enum.Enum):
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"


class EnrolmentFacts(msgspec.Struct, frozen=True):
    """What staff see beside the pairing code; claims of the computer, not proof."""

    host_name: Name
    product: Product
    os_release: ShortText = ""
    serial: ShortText = ""
    model: ShortText = ""
    mac_addresses: Annotated[list[ShortText], Meta(max_length=32)] = []


class EnrolmentClaim(msgspec.Struct, frozen=True):
    """The part of an enrolment that the device key signs.

    `token_secret` is the secret half of the enrolment token.
    """

    token_secret: Annotated[str, Meta(min_length=8, max_length=100)]
    device_key: PublicKey
    link_key: PublicKey
    seal_key: PublicKey
    facts: EnrolmentFacts
    protocol_version: int = 1


class EnrolmentRequest(msgspec.Struct, frozen=True):
    """``POST /agent/v1/enrolments``. `claim` is the JSON of an `EnrolmentClaim`.

    Idempotent by token and device key: the same two give the same enrolment.
    """

    claim: Blob
    proof: Signature


class EnrolmentDecision(msgspec.Struct, frozen=True):
    """Signed: what became of an enrolment.

    `computer` is this computer's uid on the wire from now on. The root half checks
    that `device_key` is its own before it believes any of it.
    """

    enrolment_id: Uid
    computer: Uid
    organisation: Uid
    device_key: PublicKey
    status: EnrolmentStatus
    poll_seconds: PositiveSeconds


class EnrolmentAnswer(msgspec.Struct, frozen=True):
    """How an enrolment stands; the same request is sent again to follow it.

    `decision` is absent for the moment that the portal needs to sign it. Ask again
    after `retry_seconds`. `signing_key` must match the fingerprint in the token.
    """

    enrolment_id: Uid
    signing_key: PublicKey
    retry_seconds: PositiveSeconds
    decision: Signed | None = None


class EnrolmentToken(msgspec.Struct, frozen=True):
    """What staff carry to a computer: a secret and the portal's fingerprint."""

    secret: str
    fingerprint: Fingerprint

    def __str__(self) -> str:
        return f"{self.secret}.{self.fingerprint}"


def parse_token(text: str) -> EnrolmentToken:
    """Read a token as staff typed or pasted it (surrounding space is ignored).

    Raises:
        ProtocolError: ``enrolment-token-unknown`` if it is not of that form.
    """
    secret, separator, pin = text.strip().partition(".")
    try:
        well_formed = separator and len(keys.from_b64url(pin)) == 32
    except ValueError:
        well_formed = False
    if not well_formed or not 8 <= len(secret) <= 100 or not secret.isalnum():
        raise ProtocolError(ErrorCode.ENROLMENT_TOKEN_UNKNOWN, "not a token")
    return EnrolmentToken(secret=secret, fingerprint=pin)
