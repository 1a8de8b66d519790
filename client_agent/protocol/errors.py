"""Errors of the protocol: RFC 9457 problem documents with a stable code."""

from enum import Enum

import msgspec

from client_agent.protocol.types import Code, Count, Moment, ShortText


class ProtocolError(Exception):
    """A message that cannot be accepted; `code` says why, for machines."""

    def __init__(self, code: "ErrorCode", detail: str = "") -> None:
        super().__init__(f"{code.value}: {detail}" if detail else code.value)
        self.code = code
        self.detail = detail


class ErrorCode(str, Enum):
    """Every code that crosses the wire or the socket between the halves."""

    # authentication
    NOT_ENROLLED = "not-enrolled"
    COMPUTER_REVOKED = "computer-revoked"
    TOKEN_INVALID = "token-invalid"  # noqa: S105 - a code, not a secret
    TOKEN_EXPIRED = "token-expired"  # noqa: S105
    TOKEN_REPLAYED = "token-replayed"  # noqa: S105
    CLOCK_WRONG = "clock-wrong"
    # enrolment
    ENROLMENT_TOKEN_UNKNOWN = "enrolment-token-unknown"  # noqa: S105
    ENROLMENT_TOKEN_EXPIRED = "enrolment-token-expired"  # noqa: S105
    ENROLMENT_TOKEN_USED_UP = "enrolment-token-used-up"  # noqa: S105
    ENROLMENT_PROOF_INVALID = "enrolment-proof-invalid"
    ENROLMENT_UNKNOWN = "enrolment-unknown"
    ENROLMENT_REFUSED = "enrolment-refused"
    ENROLMENT_EXPIRED = "enrolment-expired"
    # messages
    BODY_TOO_LARGE = "body-too-large"
    BODY_INVALID = "body-invalid"
    VERSION_UNSUPPORTED = "version-unsupported"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    NOT_FOUND = "not-found"
    RATE_LIMITED = "rate-limited"
    TEMPORARILY_UNAVAILABLE = "temporarily-unavailable"
    # signed documents
    SIGNATURE_INVALID = "signature-invalid"
    KIND_UNEXPECTED = "kind-unexpected"
    AUDIENCE_WRONG = "audience-wrong"
    STATE_REVISION_OLD = "state-revision-old"
    DOCUMENT_NOT_YET_VALID = "document-not-yet-valid"
    DOCUMENT_EXPIRED = "document-expired"
    DOCUMENT_REPLAYED = "document-replayed"
    # jobs
    JOB_UNKNOWN = "job-unknown"
    LEASE_LOST = "lease-lost"
    OUTPUT_GAP = "output-gap"
    OUTPUT_TOO_LONG = "output-too-long"
    BLOB_UNKNOWN = "blob-unknown"
    BLOB_DIGEST_WRONG = "blob-digest-wrong"
    # facts and reports
    FACTS_DIGEST_WRONG = "facts-digest-wrong"
    REPORT_GAP = "report-gap"
    # sealing
    SEAL_INVALID = "seal-invalid"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Body of every answer with status 400 or above (``application/problem+json``).

    `server_time` comes with ``clock-wrong`` and ``token-expired``; `offset` with
    ``output-gap`` (the offset wanted) and ``report-gap`` (the sequence wanted);
    `signed` with ``computer-revoked``: the encoded signed revocation.

    Source: RFC 9457.
    """

    code: Code
    title: ShortText = ""
    detail: ShortText = ""
    status: Count = 0
    server_time: Moment | None = None
    offset: Count | None = None
    signed: bytes | None = None
