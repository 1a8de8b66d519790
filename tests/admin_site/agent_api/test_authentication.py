"""Who is refused, at every endpoint, with which code, and that nothing changes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from admin_site.agent_api import urls
from admin_site.agent_api.problems import STATUS
from admin_site.computers import agent_cache, signing
from admin_site.computers.enrolment import revoke_computer
from admin_site.computers.models import Computer, SigningKey
from admin_site.core import clock
from client_agent.protocol import codec, limits
from client_agent.protocol.errors import ErrorCode
from client_agent.protocol.signed import Kind, Signed, open_document
from client_agent.protocol.state import Revocation
from tests.admin_site.agent_api.conftest import ENDPOINTS, Api, make_api
from tests.admin_site.backend_objects import (
    Device,
    code_of,
    make_computer,
    nothing_changes,
    problem_of,
    run_deferred,
    send,
)

every_endpoint = pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def test_every_endpoint_is_among_those_tested() -> None:
    assert {each.name for each in urls.urlpatterns} == {*ENDPOINTS, "enrol"}


@every_endpoint
def test_the_right_computer_is_let_in(api: Api, endpoint: str) -> None:
    assert api.ask(endpoint).status_code in (200, 204)


@every_endpoint
def test_without_a_token_nobody_is_let_in(api: Api, endpoint: str) -> None:
    message = api.message(endpoint)
    body = b"" if message is None else codec.encode(message)
    target = f"/agent/v1/{api.path(endpoint)}"
    for authorization in (
        None,
        *("", "Bearer", "Bearer x", "Bearer a.b.c", "Basic eDp5"),
        "Bearer \xff.\xff.\xff",
    ):
        headers: dict[str, str] = {}
        if authorization is not None:
            headers["Authorization"] = authorization
        with nothing_changes():
            response = send(ENDPOINTS[endpoint], target, body, headers)
        assert (response.status_code, code_of(response)) == (401, "not-enrolled")


@every_endpoint
def test_a_foreign_key_or_an_unknown_computer_is_not_enrolled(
    api: Api, endpoint: str
) -> None:
    strangers: list[dict[str, Any]] = [
        {"key": Ed25519PrivateKey.generate()},
        {"key": api.device.device},
        {"computer": uuid4()},
    ]
    for changes in strangers:
        with nothing_changes():
            response = api.ask(endpoint, **changes)
        assert (response.status_code, code_of(response)) == (401, "not-enrolled")


def test_all_strangers_are_answered_alike(api: Api) -> None:
    bodies = {
        json.dumps(
            {
                key: value
                for key, value in json.loads(
                    api.ask("state", **changes).content
                ).items()
                if key != "detail"
            }
        )
        for changes in ({"key": Ed25519PrivateKey.generate()}, {"computer": uuid4()})
    }
    assert len(bodies) == 1


@every_endpoint
def test_a_wrong_clock_is_told_the_time(api: Api, endpoint: str) -> None:
    now = clock.now()
    for seconds in (-3600, 3600):
        with nothing_changes():
            response = api.ask(endpoint, now=int(now.timestamp()) + seconds)
        assert (response.status_code, code_of(response)) == (401, "clock-wrong")
        told = problem_of(response).server_time
        assert told is not None
        assert abs(told - now) < timedelta(minutes=2)


@every_endpoint
def test_a_token_for_another_request_is_invalid(api: Api, endpoint: str) -> None:
    message = api.message(endpoint)
    body = b"" if message is None else codec.encode(message)
    target, method = f"/agent/v1/{api.path(endpoint)}", ENDPOINTS[endpoint]
    right: dict[str, Any] = {"method": method, "target": target, "body": body}
    wrong: list[dict[str, Any]] = [
        {"audience": "https://evil.example"},
        {"method": "DELETE"},
        {"target": "/agent/v1/other"},
        {"target": f"{target}&x=1" if "?" in target else f"{target}?x=1"},
        {"body": body + b" "},
    ]
    for changes in wrong:
        headers = {"Authorization": api.device.authorization(**right | changes)}
        with nothing_changes():
            response = send(method, target, body, headers)
        assert (response.status_code, code_of(response)) == (401, "token-invalid")


@every_endpoint
def test_another_method_is_told_so(api: Api, endpoint: str) -> None:
    for method in METHODS:
        if method != ENDPOINTS[endpoint]:
            with nothing_changes():
                response = api.ask(endpoint, method=method)
            assert response.status_code == 405
            assert code_of(response) == "method-not-allowed"


@every_endpoint
def test_a_body_that_is_too_large_is_refused_before_anything_else(
    api: Api, endpoint: str
) -> None:
    limit = {"output": 2 * limits.OUTPUT_CHUNK_BYTES, "facts": limits.FACTS_BYTES}
    for body in (b" " * (limit.get(endpoint, limits.BODY_BYTES) + 1), b" " * 3_000_000):
        with nothing_changes():
            response = api.ask(endpoint, body)
        assert (response.status_code, code_of(response)) == (413, "body-too-large")


@pytest.mark.parametrize("endpoint", ["lease", "output", "result", "reports", "facts"])
def test_a_body_that_is_no_message_is_refused(api: Api, endpoint: str) -> None:
    for body in (b"", b"{", b"[]", b"null", b'"\xff"', b"[" * 9000, b'{"lease_id":1}'):
        with nothing_changes():
            response = api.ask(endpoint, body)
        assert (response.status_code, code_of(response)) == (400, "body-invalid")


@every_endpoint
def test_without_valkey_every_endpoint_answers(
    api: Api, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = redis.Redis(unix_socket_path=str(tmp_path / "gone.sock"))
    monkeypatch.setattr(agent_cache, "client", lambda: gone)
    assert api.ask(endpoint).status_code in (200, 204)
    response = api.ask(endpoint, key=Ed25519PrivateKey.generate())
    assert code_of(response) == "not-enrolled"


# --- revoked ------------------------------------------------------------------------


@every_endpoint
def test_a_revoked_computer_is_shown_its_signed_revocation(
    api: Api, endpoint: str
) -> None:
    with api.norrby.scope():
        revoke_computer(computer=api.computer, by=api.norrby.admin, now=clock.now())
    with nothing_changes():
        response = api.ask(endpoint)
    assert (response.status_code, code_of(response)) == (403, "computer-revoked")
    assert problem_of(response).signed is None
    run_deferred()
    with nothing_changes():
        response = api.ask(endpoint)
    assert code_of(response) == "computer-revoked"
    raw = problem_of(response).signed
    assert raw is not None
    with api.norrby.scope():
        key = bytes(SigningKey.objects.get().public_key)
        revoked_at = Computer.objects.get(pk=api.computer.pk).revoked_at
    revocation = open_document(
        codec.decode(Signed, raw), Kind.REVOCATION, Revocation, public_key=key
    )
    assert (revocation.computer, revocation.revoked_at) == (
        api.computer.pk,
        revoked_at,
    )


def test_a_stranger_who_names_a_revoked_computer_learns_nothing(api: Api) -> None:
    with api.norrby.scope():
        revoke_computer(computer=api.computer, by=api.norrby.admin, now=clock.now())
    run_deferred()
    response = api.ask("state", key=Ed25519PrivateKey.generate())
    assert code_of(response) == "not-enrolled"
    assert problem_of(response).signed is None


# --- what belongs to others ---------------------------------------------------------


def _theirs(kind: str, api: Api) -> Device:
    """A computer that has nothing to do with this job."""
    if kind == "same site":
        return make_computer(api.norrby, "pc-2")[1]
    return make_api("soderby", api.script).device


@pytest.mark.parametrize("kind", ["same site", "another organisation"])
@pytest.mark.parametrize("endpoint", ["output", "result"])
def test_anothers_job_is_unknown_even_with_its_lease(
    api: Api, kind: str, endpoint: str
) -> None:
    device = _theirs(kind, api)
    with nothing_changes():
        response = api.ask(endpoint, device=device)
    assert (response.status_code, code_of(response)) == (404, "job-unknown")


@pytest.mark.parametrize("endpoint", ["output", "result"])
def test_a_job_that_never_was_is_answered_like_anothers(
    api: Api, endpoint: str
) -> None:
    api.job.pk = UUID(int=1)
    with nothing_changes():
        response = api.ask(endpoint)
    assert (response.status_code, code_of(response)) == (404, "job-unknown")


# --- the table of codes -------------------------------------------------------------


def test_every_code_of_the_endpoints_has_a_status_of_its_own_kind() -> None:
    assert all(400 <= status < 600 for status in STATUS.values())
    raised_here = {
        ErrorCode.NOT_ENROLLED: 401,
        ErrorCode.COMPUTER_REVOKED: 403,
        ErrorCode.BODY_TOO_LARGE: 413,
        ErrorCode.METHOD_NOT_ALLOWED: 405,
        ErrorCode.TEMPORARILY_UNAVAILABLE: 503,
        ErrorCode.LEASE_LOST: 409,
        ErrorCode.REPORT_GAP: 409,
    }
    assert {code: int(STATUS[code]) for code in raised_here} == raised_here


def test_a_document_of_a_revocation_is_stored_as_it_is_sent(api: Api) -> None:
    with api.norrby.scope():
        revoke_computer(computer=api.computer, by=api.norrby.admin, now=clock.now())
    run_deferred()
    with api.norrby.scope():
        stored = Computer.objects.get(pk=api.computer.pk).signed_revocation
    sent = problem_of(api.ask("lease")).signed
    assert stored is not None
    assert sent == bytes(stored)
    assert signing.stored_document(bytes(stored)).kind is Kind.REVOCATION
