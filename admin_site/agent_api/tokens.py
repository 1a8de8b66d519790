"""Checking the token that each request of a computer carries. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client_agent.protocol import codec, keys, limits
from client_agent.protocol.auth import Claims, body_digest
from client_agent.protocol.errors import ErrorCode, ProtocolError

_SCHEME = "Bearer "
_HEADER_BYTES = 4096


@dataclass(frozen=True)
class BoundRequest:
    """What a token must be bound to. `target` is path and query."""

    method: str
    target: str
    body: bytes
    audiences: tuple[str, ...]
    now: datetime


def claimed(authorization: str) -> tuple[str, Claims]:
    """The token and what it claims, unverified.

    Raises:
        ProtocolError: ``not-enrolled``, whatever is wrong with it.
    """
    token = authorization.removeprefix(_SCHEME)
    if token == authorization or len(token) > _HEADER_BYTES:
        raise ProtocolError(ErrorCode.NOT_ENROLLED, "no token")
    try:
        payload = keys.from_b64url(token.split(".")[1])
        return token, codec.decode(Claims, payload)
    except (IndexError, ValueError, ProtocolError) as error:
        raise ProtocolError(ErrorCode.NOT_ENROLLED, "no such token") from error


def verify(token: str, claims: Claims, key: bytes, request: BoundRequest) -> None:
    """Check signature, times and binding of `token`.

    Raises:
        ProtocolError: ``not-enrolled`` when `key` did not sign it; ``clock-wrong``
            outside of its times; ``token-invalid`` for another audience or request.
    """
    try:
        jwt.decode(
            token,
            Ed25519PublicKey.from_public_bytes(key),
            algorithms=["EdDSA"],
            options={
                "verify_aud": False,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.PyJWTError as error:
        raise ProtocolError(ErrorCode.NOT_ENROLLED, "no such key") from error
    _check_times(claims, request.now)
    is_bound = (
        claims.aud in request.audiences
        and claims.htm == request.method
        and claims.htu == request.target
        and claims.bdy == body_digest(request.body)
    )
    if not is_bound:
        raise ProtocolError(ErrorCode.TOKEN_INVALID, "the token is for another request")


def _check_times(claims: Claims, now: datetime) -> None:
    seconds = int(now.timestamp())
    is_short = 0 <= claims.exp - claims.iat <= limits.TOKEN_LIFETIME_SECONDS
    is_current = (
        claims.iat - limits.CLOCK_SKEW_SECONDS
        <= seconds
        <= claims.exp + limits.CLOCK_SKEW_SECONDS
    )
    if not is_short or not is_current:
        raise ProtocolError(
            ErrorCode.CLOCK_WRONG,
            f"server time {datetime.fromtimestamp(seconds, UTC).isoformat()}",
        )
