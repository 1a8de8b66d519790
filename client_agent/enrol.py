"""How this computer becomes known to a portal, step by step and restartable."""

import enum
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client_agent.errors import AgentError
from client_agent.host.files import read_or_none, write_atomically
from client_agent.key_files import public_bytes
from client_agent.portal import Portal, PortalError
from client_agent.protocol import codec, keys
from client_agent.protocol.enrolment import (
    PROOF_PURPOSE,
    EnrolmentAnswer,
    EnrolmentClaim,
    EnrolmentDecision,
    EnrolmentFacts,
    EnrolmentRequest,
    EnrolmentStatus,
    EnrolmentToken,
    Product,
)
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.signed import Kind, open_document
from client_agent.protocol.types import Fingerprint, Moment, PublicKey, Uid
from client_agent.texts import _

SIGNING_KEY_UNEXPECTED = "signing-key-unexpected"

_FINAL_CODES = {
    ErrorCode.ENROLMENT_TOKEN_UNKNOWN.value,
    ErrorCode.ENROLMENT_TOKEN_EXPIRED.value,
    ErrorCode.ENROLMENT_TOKEN_USED_UP.value,
    ErrorCode.ENROLMENT_PROOF_INVALID.value,
    ErrorCode.VERSION_UNSUPPORTED.value,
}


class Stage(str, enum.Enum):
    """Where an enrolment stands; the last five last until staff act."""

    WANTED = "wanted"
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"
    REVOKED = "revoked"


class Enrolment(msgspec.Struct, frozen=True, omit_defaults=True):
    """Content of ``enrolment.json``.

    `token_secret` is forgotten once it has served. `signing_key` is pinned with the
    first answer that fits `fingerprint`; `code` says what went wrong last.
    """

    stage: Stage
    fingerprint: Fingerprint
    token_secret: str = ""
    enrolment_id: Uid | None = None
    signing_key: PublicKey | None = None
    computer: Uid | None = None
    organisation: Uid | None = None
    poll_seconds: int = 60
    code: str = ""
    revoked_at: Moment | None = None

    @property
    def is_asking(self) -> bool:
        return self.stage in (Stage.WANTED, Stage.PENDING)


def load_enrolment(path: Path) -> Enrolment | None:
    """The enrolment as last persisted; None if there never was one.

    Raises:
        AgentError: ``enrolment-damaged``.
    """
    raw = read_or_none(path)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=Enrolment)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AgentError(
            "enrolment-damaged",
            str(error)[:200],
            hint=_("Enrol this computer again with a new token."),
        ) from error


def save_enrolment(path: Path, enrolment: Enrolment) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.encode(enrolment) + b"\n", mode=0o600)


def wanted(token: EnrolmentToken) -> Enrolment:
    """An enrolment that has not begun."""
    return Enrolment(
        stage=Stage.WANTED, fingerprint=token.fingerprint, token_secret=token.secret
    )


class Enroller:
    """Takes an enrolment from wanted to decided, persisting after each answer."""

    def __init__(
        self,
        portal: Portal,
        *,
        device_key: Ed25519PrivateKey,
        seal_public_key: bytes,
        persist: Callable[[Enrolment], None],
    ) -> None:
        self._portal = portal
        self._device_key = device_key
        self._device_public_key = public_bytes(device_key)
        self._seal_public_key = seal_public_key
        self._persist = persist

    async def step(
        self, enrolment: Enrolment, *, link_key: bytes, facts: EnrolmentFacts
    ) -> tuple[Enrolment, int]:
        """Ask once; the enrolment as it stands now and when to ask again, in seconds.

        Raises:
            LinkError: no answer; ask again later.
            PortalError: as above, also for an answer that is not to be believed
                (``signing-key-unexpected``, ``signature-invalid`` ...).
        """
        try:
            # The same token and device key are the same enrolment: asking again is
            # how one waits.
            answer = await self._portal.enrol(self._request(enrolment, link_key, facts))
        except PortalError as error:
            return self._refused(enrolment, error), enrolment.poll_seconds
        try:
            after = self._believe(enrolment, answer)
        except ProtocolError as error:
            raise PortalError(error.code.value) from error
        self._persist(after)
        return after, answer.retry_seconds

    def pairing_code(self, enrolment: Enrolment) -> str:
        """The code that people compare; empty before a signed decision."""
        if enrolment.stage is not Stage.PENDING or enrolment.enrolment_id is None:
            return ""
        return keys.pairing_code(self._device_public_key, enrolment.enrolment_id)

    def _request(
        self, enrolment: Enrolment, link_key: bytes, facts: EnrolmentFacts
    ) -> EnrolmentRequest:
        claim = codec.encode(
            EnrolmentClaim(
                token_secret=enrolment.token_secret,
                device_key=self._device_public_key,
                link_key=link_key,
                seal_key=self._seal_public_key,
                facts=facts,
            )
        )
        proof = keys.sign(self._device_key, PROOF_PURPOSE, claim)
        return EnrolmentRequest(claim=claim, proof=proof)

    def _refused(self, enrolment: Enrolment, error: PortalError) -> Enrolment:
        """What a refusal means; raises it again if it is only for now."""
        stages = {
            ErrorCode.ENROLMENT_REFUSED.value: Stage.REFUSED,
            ErrorCode.ENROLMENT_EXPIRED.value: Stage.EXPIRED,
        }
        if error.code == ErrorCode.ENROLMENT_UNKNOWN.value and enrolment.enrolment_id:
            after = msgspec.structs.replace(
                enrolment, stage=Stage.WANTED, enrolment_id=None
            )
        elif error.code in _FINAL_CODES or error.code in stages:
            after = msgspec.structs.replace(
                enrolment,
                stage=stages.get(error.code, Stage.FAILED),
                code=error.code,
                token_secret="",
            )
        else:
            raise error
        self._persist(after)
        return after

    def _believe(self, enrolment: Enrolment, answer: EnrolmentAnswer) -> Enrolment:
        if keys.fingerprint(answer.signing_key) != enrolment.fingerprint:
            raise PortalError(SIGNING_KEY_UNEXPECTED)
        if enrolment.enrolment_id not in (None, answer.enrolment_id):
            raise ProtocolError(ErrorCode.ENROLMENT_UNKNOWN, "another enrolment")
        after = msgspec.structs.replace(
            enrolment,
            enrolment_id=answer.enrolment_id,
            signing_key=answer.signing_key,
            code="",
        )
        if answer.decision is None:
            return after
        decision = open_document(
            answer.decision,
            Kind.ENROLMENT,
            EnrolmentDecision,
            public_key=answer.signing_key,
        )
        return self._decide(after, decision)

    def _decide(self, enrolment: Enrolment, decision: EnrolmentDecision) -> Enrolment:
        if decision.device_key != self._device_public_key:
            raise ProtocolError(ErrorCode.AUDIENCE_WRONG, "another device key")
        if decision.enrolment_id != enrolment.enrolment_id:
            raise ProtocolError(ErrorCode.ENROLMENT_UNKNOWN, "another enrolment")
        is_pending = decision.status is EnrolmentStatus.PENDING
        return msgspec.structs.replace(
            enrolment,
            stage=Stage(decision.status.value),
            computer=decision.computer,
            organisation=decision.organisation,
            poll_seconds=decision.poll_seconds,
            token_secret=enrolment.token_secret if is_pending else "",
        )


def enrolment_facts(product: Product, root: Path = Path("/")) -> EnrolmentFacts:
    """What staff see of this computer before they approve it."""
    hardware = Path("/sys/class/dmi/id")
    addresses = sorted(
        {_line(path) for path in Path("/sys/class/net").glob("*/address")}
        - {"", "00:00:00:00:00:00"}
    )
    return EnrolmentFacts(
        host_name=socket.gethostname()[:200] or "unnamed",
        product=product,
        os_release=_os_release(root),
        serial=_line(hardware / "product_serial"),
        model=_line(hardware / "product_name"),
        mac_addresses=addresses[:32],
    )


def _os_release(root: Path) -> str:
    for path in (root / "etc/os-release", Path("/etc/os-release")):
        for line in _text(path).splitlines():
            name, _separator, value = line.partition("=")
            if name == "PRETTY_NAME":
                return value.strip("\"'")[:500]
    return ""


def _line(path: Path) -> str:
    return _text(path).strip()[:500]


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[:65536].decode("utf-8", "replace")
    except OSError:  # not on this hardware, or not for this user
        return ""
