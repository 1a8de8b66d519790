"""A request's token: good for exactly that request, made by exactly that key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from admin_site.agent_api.tokens import BoundRequest, claimed, verify
from client_agent.protocol import keys, limits
from client_agent.protocol.auth import Claims, body_digest, make_token
from client_agent.protocol.errors import ErrorCode, ProtocolError

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()
COMPUTER = UUID(int=77)
AUDIENCE = "https://portal.example"
NOW = 1_770_000_000
LIFE, SKEW = limits.TOKEN_LIFETIME_SECONDS, limits.CLOCK_SKEW_SECONDS

methods = st.sampled_from(["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"])
targets = st.text(st.characters(codec="ascii"), max_size=30).map(lambda t: f"/{t}")
bodies = st.binary(max_size=50)


def _token(**changes: Any) -> str:
    given: dict[str, Any] = {
        "key": KEY,
        "computer": COMPUTER,
        "audience": AUDIENCE,
        "method": "POST",
        "target": "/agent/v1/jobs/lease",
        "body": b"{}",
        "now": NOW,
        "jti": "0123456789abcdef",
        **changes,
    }
    return f"Bearer {make_token(given.pop('key'), **given)}"


def _bound(**changes: Any) -> BoundRequest:
    given: dict[str, Any] = {
        "method": "POST",
        "target": "/agent/v1/jobs/lease",
        "body": b"{}",
        "audiences": (AUDIENCE, "https://second.example"),
        "now": datetime.fromtimestamp(NOW, UTC),
        **changes,
    }
    return BoundRequest(**given)


def _check(authorization: str, bound: BoundRequest, key: bytes = PUBLIC) -> Claims:
    token, claims = claimed(authorization)
    verify(token, claims, key, bound)
    return claims


def _refusal(
    authorization: str, bound: BoundRequest | None = None, key: bytes = PUBLIC
) -> ErrorCode:
    with pytest.raises(ProtocolError) as caught:
        _check(authorization, bound or _bound(), key)
    return caught.value.code


@given(methods, targets, bodies)
def test_a_token_is_good_for_its_request(method: str, target: str, body: bytes) -> None:
    token = _token(method=method, target=target, body=body)
    claims = _check(token, _bound(method=method, target=target, body=body))
    assert claims.iss == COMPUTER
    assert claims.exp - claims.iat == LIFE
    assert len(claims.bdy) == 43


@given(methods, targets, bodies, methods, targets, bodies)
def test_and_for_no_other(
    method: str,
    target: str,
    body: bytes,
    other_method: str,
    other_target: str,
    other_body: bytes,
) -> None:
    token = _token(method=method, target=target, body=body)
    right = {"method": method, "target": target, "body": body}
    for changes in (
        {"method": other_method},
        {"target": other_target},
        {"body": other_body},
        {"method": other_method, "target": other_target, "body": other_body},
    ):
        bound = {**right, **changes}
        if bound != right:
            assert _refusal(token, _bound(**bound)) is ErrorCode.TOKEN_INVALID


@pytest.mark.parametrize(
    ("token", "bound", "code"),
    [
        ({"method": "GET"}, {}, ErrorCode.TOKEN_INVALID),
        ({"method": "post"}, {}, ErrorCode.TOKEN_INVALID),
        ({"target": "/agent/v1/jobs/lease/"}, {}, ErrorCode.TOKEN_INVALID),
        ({"target": "/agent/v1/jobs/lease?a=1"}, {}, ErrorCode.TOKEN_INVALID),
        ({"target": "/agent/v1/jobs/LEASE"}, {}, ErrorCode.TOKEN_INVALID),
        ({"body": b"{} "}, {}, ErrorCode.TOKEN_INVALID),
        ({"body": b""}, {}, ErrorCode.TOKEN_INVALID),
        ({"audience": "https://evil.example"}, {}, ErrorCode.TOKEN_INVALID),
        ({"audience": AUDIENCE + "/"}, {}, ErrorCode.TOKEN_INVALID),
        ({"audience": "http://portal.example"}, {}, ErrorCode.TOKEN_INVALID),
        ({}, {"audiences": ()}, ErrorCode.TOKEN_INVALID),
        ({"key": Ed25519PrivateKey.generate()}, {}, ErrorCode.NOT_ENROLLED),
        ({"now": NOW - 3600}, {}, ErrorCode.CLOCK_WRONG),
        ({"now": NOW + 3600}, {}, ErrorCode.CLOCK_WRONG),
    ],
)
def test_refusals_one_by_one(
    token: dict[str, Any], bound: dict[str, Any], code: ErrorCode
) -> None:
    assert _refusal(_token(**token), _bound(**bound)) is code


@given(st.integers(-1000, 1000))
def test_a_token_lives_two_minutes_and_clocks_may_differ_by_one(seconds: int) -> None:
    token = _token(now=NOW + seconds)
    if -LIFE - SKEW <= seconds <= SKEW:
        _check(token, _bound())
    else:
        assert _refusal(token) is ErrorCode.CLOCK_WRONG


def test_every_configured_origin_is_an_audience() -> None:
    _check(_token(audience="https://second.example"), _bound())


# --- tokens that we would never make -------------------------------------------------


def _forged(header: object, payload: object, key: Ed25519PrivateKey = KEY) -> str:
    parts = [
        keys.b64url(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header, payload)
    ]
    signature = key.sign(".".join(parts).encode())
    return f"Bearer {'.'.join([*parts, keys.b64url(signature)])}"


GOOD_HEADER = {"alg": "EdDSA", "typ": "JWT"}
GOOD_CLAIMS: dict[str, Any] = {
    "iss": str(COMPUTER),
    "aud": AUDIENCE,
    "iat": NOW,
    "exp": NOW + LIFE,
    "jti": "0123456789abcdef",
    "htm": "POST",
    "htu": "/agent/v1/jobs/lease",
    "bdy": body_digest(b"{}"),
}


def test_a_token_made_by_hand_is_as_good_as_ours() -> None:
    _check(_forged(GOOD_HEADER, GOOD_CLAIMS), _bound())


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256", "typ": "JWT"},
        {"alg": "RS256"},
        {"alg": ["EdDSA"]},
        {"alg": None},
        {},
        [],
        {"alg": "EdDSA", "b64": False, "crit": ["b64"]},
        {"alg": "EdDSA", "crit": ["exp"]},
        {"alg": "EdDSA", "kid": 7},
        b"[" * 2000,
        b"\xff\xfe",
        b"",
    ],
    ids=lambda header: repr(header)[:30],
)
def test_no_other_algorithm_or_header_is_believed(header: Any) -> None:
    assert _refusal(_forged(header, GOOD_CLAIMS)) is ErrorCode.NOT_ENROLLED


def test_the_public_key_is_no_shared_secret() -> None:
    import hashlib
    import hmac

    header = keys.b64url(b'{"alg":"HS256","typ":"JWT"}')
    signed = f"{header}.{keys.b64url(json.dumps(GOOD_CLAIMS).encode())}"
    mac = hmac.new(PUBLIC, signed.encode(), hashlib.sha256).digest()
    token = f"Bearer {signed}.{keys.b64url(mac)}"
    assert _refusal(token) is ErrorCode.NOT_ENROLLED


@pytest.mark.parametrize("claim", sorted(GOOD_CLAIMS))
def test_each_claim_is_needed_and_typed(claim: str) -> None:
    without = {key: value for key, value in GOOD_CLAIMS.items() if key != claim}
    for claims in (without, {**without, claim: None}, {**without, claim: ["x"]}):
        assert _refusal(_forged(GOOD_HEADER, claims)) is ErrorCode.NOT_ENROLLED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": NOW + LIFE + 1}, ErrorCode.CLOCK_WRONG),
        ({"exp": NOW - 1}, ErrorCode.CLOCK_WRONG),
        ({"exp": 2**53}, ErrorCode.CLOCK_WRONG),
        ({"iat": 0, "exp": 0}, ErrorCode.CLOCK_WRONG),
        ({"iat": -1}, ErrorCode.NOT_ENROLLED),
        ({"iat": 2**60}, ErrorCode.NOT_ENROLLED),
        ({"jti": "short"}, ErrorCode.NOT_ENROLLED),
        ({"sub": 7}, ErrorCode.NOT_ENROLLED),
    ],
)
def test_claims_out_of_bounds(changes: dict[str, Any], code: ErrorCode) -> None:
    assert _refusal(_forged(GOOD_HEADER, {**GOOD_CLAIMS, **changes})) is code


# --- properties ---------------------------------------------------------------------


@given(st.text(max_size=100) | st.text(max_size=60).map(lambda text: f"Bearer {text}"))
def test_any_header_is_refused_with_a_code(authorization: str) -> None:
    assert _refusal(authorization) is ErrorCode.NOT_ENROLLED


@given(st.data())
def test_a_changed_character_is_never_the_same_permission(data: st.DataObject) -> None:
    token = _token()
    place = data.draw(st.integers(len("Bearer "), len(token) - 1))
    replacement = data.draw(st.characters(codec="ascii"))
    assume(replacement != token[place])
    changed = token[:place] + replacement + token[place + 1 :]
    try:
        claims = _check(changed, _bound())
    except ProtocolError as error:
        assert error.code is ErrorCode.NOT_ENROLLED  # noqa: PT017
    else:
        # Only the unused bits of the signature's last character may differ.
        assert place == len(token) - 1
        assert claims == _check(token, _bound())


@pytest.mark.parametrize("scheme", ["", "bearer ", "BEARER ", "Basic ", "Bearer  "])
def test_only_the_scheme_that_agents_send_is_read(scheme: str) -> None:
    assert _refusal(_token().replace("Bearer ", scheme)) is ErrorCode.NOT_ENROLLED


def test_an_endless_header_is_not_read() -> None:
    assert _refusal(_token() + "A" * 5000) is ErrorCode.NOT_ENROLLED
