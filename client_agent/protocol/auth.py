"""The token that each request carries: a JWT that binds the whole request.

Source: RFC 7519, RFC 8037 (EdDSA); ``htm`` and ``htu`` after RFC 9449.
"""

import hashlib
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from client_agent.protocol import codec, keys, limits
from client_agent.protocol.types import Count, Uid

_HEADER = keys.b64url(b'{"alg":"EdDSA","typ":"JWT"}')


class Claims(msgspec.Struct, frozen=True):
    """`htu` is path and query; `bdy` the base64url SHA-256 of the body."""

    iss: Uid
    aud: Annotated[str, Meta(max_length=300)]
    iat: Count
    exp: Count
    jti: Annotated[str, Meta(min_length=8, max_length=64)]
    htm: Annotated[str, Meta(max_length=10)]
    htu: Annotated[str, Meta(max_length=2000)]
    bdy: Annotated[str, Meta(max_length=43)]


def body_digest(body: bytes) -> str:
    """Value of ``bdy`` for `body`, which is empty for a GET."""
    return keys.b64url(hashlib.sha256(body).digest())


def make_token(
    key: Ed25519PrivateKey,
    *,
    computer: Uid,
    audience: str,
    method: str,
    target: str,
    body: bytes,
    now: int,
    jti: str,
) -> str:
    """A token for exactly one request. `now` is the portal's time in Unix seconds."""
    claims = Claims(
        iss=computer,
        aud=audience,
        iat=now,
        exp=now + limits.TOKEN_LIFETIME_SECONDS,
        jti=jti,
        htm=method,
        htu=target,
        bdy=body_digest(body),
    )
    signing_input = f"{_HEADER}.{keys.b64url(codec.encode(claims))}"
    signature = key.sign(signing_input.encode("ascii"))
    return f"{signing_input}.{keys.b64url(signature)}"
