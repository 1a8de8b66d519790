"""Refusals as RFC 9457 documents: one table from code to status."""

from datetime import datetime
from http import HTTPStatus

from client_agent.protocol import codec
from client_agent.protocol.errors import ErrorCode, Problem

CONTENT_TYPE = "application/problem+json"
C, S = ErrorCode, HTTPStatus

STATUS: dict[ErrorCode, HTTPStatus] = {
    C.NOT_ENROLLED: S.UNAUTHORIZED,
    C.TOKEN_INVALID: S.UNAUTHORIZED,
    C.TOKEN_EXPIRED: S.UNAUTHORIZED,
    C.TOKEN_REPLAYED: S.UNAUTHORIZED,
    C.CLOCK_WRONG: S.UNAUTHORIZED,
    C.COMPUTER_REVOKED: S.FORBIDDEN,
    C.ENROLMENT_TOKEN_UNKNOWN: S.FORBIDDEN,
    C.ENROLMENT_TOKEN_EXPIRED: S.FORBIDDEN,
    C.ENROLMENT_TOKEN_USED_UP: S.FORBIDDEN,
    C.ENROLMENT_PROOF_INVALID: S.FORBIDDEN,
    C.ENROLMENT_UNKNOWN: S.NOT_FOUND,
    C.BODY_TOO_LARGE: S.REQUEST_ENTITY_TOO_LARGE,
    C.BODY_INVALID: S.BAD_REQUEST,
    C.VERSION_UNSUPPORTED: S.BAD_REQUEST,
    C.METHOD_NOT_ALLOWED: S.METHOD_NOT_ALLOWED,
    C.NOT_FOUND: S.NOT_FOUND,
    C.RATE_LIMITED: S.TOO_MANY_REQUESTS,
    C.TEMPORARILY_UNAVAILABLE: S.SERVICE_UNAVAILABLE,
    C.JOB_UNKNOWN: S.NOT_FOUND,
    C.LEASE_LOST: S.CONFLICT,
    C.OUTPUT_GAP: S.CONFLICT,
    C.OUTPUT_TOO_LONG: S.REQUEST_ENTITY_TOO_LARGE,
    C.BLOB_UNKNOWN: S.NOT_FOUND,
    C.FACTS_DIGEST_WRONG: S.CONFLICT,
    C.REPORT_GAP: S.CONFLICT,
}


def problem(
    code: ErrorCode,
    *,
    detail: str = "",
    server_time: datetime | None = None,
    offset: int | None = None,
    signed: bytes | None = None,
) -> tuple[int, bytes]:
    """HTTP status and body for `code`."""
    status = STATUS.get(code, HTTPStatus.BAD_REQUEST)
    body = Problem(
        code=code.value,
        title=status.phrase,
        detail=detail[:500],
        status=status.value,
        server_time=server_time,
        offset=offset,
        signed=signed,
    )
    return status.value, codec.encode(body)
