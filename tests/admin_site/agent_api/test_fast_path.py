"""The fast path: a 304 without the database, or the whole way round, never wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import msgspec
import pytest
from asgiref.sync import async_to_sync
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin_site.agent_api.fast_path import STATE_PATH, FastPath
from admin_site.computers import agent_cache
from admin_site.computers.agent_cache import AgentEntry
from admin_site.core import clock
from admin_site.jobs.progress import LEASE, end_overdue_jobs
from client_agent.protocol import codec
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.jobs import LeaseAnswer, LeaseRequest
from tests.admin_site.agent_api.conftest import Api
from tests.admin_site.backend_objects import (
    Device,
    Tenant,
    make_computer,
    make_run,
    make_script,
    make_tenant,
    only_job,
)

ETAG = "0123456789abcdef"
Headers = dict[bytes, bytes]


def _no_database() -> Any:
    """Fail at the first query, whichever thread asks."""
    return mock.patch.object(
        BaseDatabaseWrapper, "cursor", side_effect=AssertionError("a query")
    )


@dataclass
class Fast:
    """One computer that the cache knows, and the fast path in front of nothing."""

    device: Device
    entry: AgentEntry
    passed: list[str] = field(default_factory=list)

    def headers(self, **changes: Any) -> Headers:
        token = self.device.authorization(
            changes.pop("method", "GET"), changes.pop("target", STATE_PATH), **changes
        )
        return {b"authorization": token.encode(), b"if-none-match": _quoted(ETAG)}

    def remember(self, **changes: Any) -> None:
        entry = msgspec.structs.replace(self.entry, **changes)
        agent_cache.client().delete(agent_cache.key_of(self.device.uid))
        agent_cache.remember(self.device.uid, entry)

    def get(
        self, headers: Headers | None = None, *, query: bytes = b"", **scope: Any
    ) -> int | None:
        """The status that the fast path answered; nothing if it passed the request."""
        whole = {
            "type": "http",
            "method": "GET",
            "path": STATE_PATH,
            "query_string": query,
            "headers": list((self.headers() if headers is None else headers).items()),
            **scope,
        }
        sent: list[dict[str, Any]] = []
        inner: list[Any] = []
        with _no_database():
            async_to_sync(_call)(whole, sent, inner)
        if inner:
            assert inner == [whole]
            assert sent == []
            return None
        start, body = sent
        assert (body["type"], body["body"]) == ("http.response.body", b"")
        assert start["headers"] == [(b"etag", _quoted(ETAG))]
        return int(start["status"])


def _quoted(etag: str) -> bytes:
    return f'"{etag}"'.encode()


async def _call(scope: Any, sent: list[Any], inner: list[Any]) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        inner.append(scope)

    async def receive() -> Any:
        raise AssertionError("a 304 needs no body")

    async def send(message: Any) -> None:
        sent.append(message)

    fast = FastPath(application)
    try:
        await fast(scope, receive, send)
    finally:
        if fast._cache is not None:
            await fast._cache.aclose()


@pytest.fixture
def fast(cache_server: str) -> Fast:
    device = Device()
    entry = AgentEntry(
        3,
        device.uid,
        "active",
        device.link.public_key().public_bytes_raw(),
        ETAG,
        "",
    )
    made = Fast(device, entry)
    made.remember()
    return made


def test_who_has_the_current_state_is_told_so_at_once(fast: Fast) -> None:
    assert fast.get() == 304
    assert fast.device.uid in agent_cache.seen_at([fast.device.uid])


@pytest.mark.parametrize("status", ["active", "suspended", "out_of_service"])
def test_statuses_that_are_served(fast: Fast, status: str) -> None:
    fast.remember(status=status)
    assert fast.get() == 304


@pytest.mark.parametrize("status", ["pending", "approved", "revoked", "retired", "new"])
def test_statuses_that_the_view_must_see(fast: Fast, status: str) -> None:
    fast.remember(status=status)
    assert fast.get() is None


@pytest.mark.parametrize(
    "changes",
    [
        {"etag": "another"},
        {"etag": ""},
        {"work": "jobs"},
        {"link_key": bytes(32)},
    ],
)
def test_an_entry_that_does_not_fit_is_passed_on(
    fast: Fast, changes: dict[str, Any]
) -> None:
    fast.remember(**changes)
    assert fast.get() is None


def test_no_entry_rubbish_and_a_mere_version_are_passed_on(fast: Fast) -> None:
    key, client = agent_cache.key_of(fast.device.uid), agent_cache.client()
    agent_cache.forget({fast.device.uid: 4})
    assert fast.get() is None
    client.delete(key)
    assert fast.get() is None
    for rubbish in (b"", b"rubbish", b"\xff\xff", b"\x93\x01\x02\x03"):
        client.hset(key, "e", rubbish)
        assert fast.get() is None
    client.delete(key)
    client.set(key, "a text, not a hash")
    assert fast.get() is None


def _with(name: bytes, value: bytes) -> Callable[[Fast], Headers]:
    return lambda fast: {**fast.headers(), name: value}


def _without(name: bytes) -> Callable[[Fast], Headers]:
    return lambda fast: {k: v for k, v in fast.headers().items() if k != name}


def _lower_case(fast: Fast) -> Headers:
    headers = fast.headers()
    token = headers[b"authorization"].replace(b"Bearer ", b"bearer ")
    return {**headers, b"authorization": token}


@pytest.mark.parametrize(
    "headers",
    [
        _without(b"authorization"),
        _without(b"if-none-match"),
        _with(b"authorization", b"Bearer \xff.\xfe.\xfd"),
        _with(b"authorization", b"Bearer " + b"[" * 3000 + b".." + b"A" * 40),
        _with(b"if-none-match", ETAG.encode()),
        _with(b"if-none-match", b"*"),
        _with(b"if-none-match", b"W/" + _quoted(ETAG)),
        _with(b"if-none-match", _quoted(ETAG) + b", " + _quoted("other")),
        _with(b"if-none-match", _quoted("other")),
        _with(b"content-length", b"2"),
        _with(b"content-length", b"rubbish"),
        _with(b"transfer-encoding", b"chunked"),
        _lower_case,
        lambda fast: fast.headers(key=Ed25519PrivateKey.generate()),
        lambda fast: fast.headers(computer=Device().uid),
        lambda fast: fast.headers(audience="https://evil.example"),
        lambda fast: fast.headers(method="POST"),
        lambda fast: fast.headers(method="HEAD"),
        lambda fast: fast.headers(target="/agent/v1/orders"),
        lambda fast: fast.headers(target=f"{STATE_PATH}?a=1"),
        lambda fast: fast.headers(body=b"another"),
        lambda fast: fast.headers(now=int(clock.now().timestamp()) - 3600),
        lambda fast: fast.headers(now=int(clock.now().timestamp()) + 3600),
    ],
)
def test_anything_but_a_perfect_match_is_passed_on(
    fast: Fast, headers: Callable[[Fast], Headers]
) -> None:
    assert fast.get(headers(fast)) is None


def test_an_empty_body_may_be_declared(fast: Fast) -> None:
    assert fast.get(_with(b"content-length", b"0")(fast)) == 304


def test_a_query_must_be_the_one_that_was_signed(fast: Fast) -> None:
    assert fast.get(query=b"a=1") is None
    assert fast.get(fast.headers(target=f"{STATE_PATH}?a=2"), query=b"a=1") is None
    assert fast.get(fast.headers(target=f"{STATE_PATH}?a=1"), query=b"a=1") == 304


@pytest.mark.parametrize(
    "scope",
    [
        {"path": "/agent/v1/state/"},
        {"path": "/agent/v1/States"},
        {"path": "/"},
        {"method": "POST"},
        {"method": "HEAD"},
    ],
)
def test_other_requests_go_straight_through(fast: Fast, scope: dict[str, Any]) -> None:
    assert fast.get(**scope) is None


def test_without_valkey_every_request_goes_the_long_way(
    fast: Fast, settings: Any, tmp_path: Path
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/gone.sock"
    assert fast.get() is None


def test_valkey_that_goes_away_in_between_is_no_304(
    fast: Fast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(FastPath, "_seen", fail)
    assert fast.get() is None


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_token_is_never_answered(fast: Fast, data: st.DataObject) -> None:
    headers = fast.headers()
    original = headers[b"authorization"]
    token = bytearray(original)
    # The last character of a signature has bits that mean nothing.
    for _each in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(len("Bearer "), len(token) - 2))
        token[place] = data.draw(st.integers(33, 255))
    headers = {**headers, b"authorization": bytes(token)}
    if bytes(token) != original:
        assert fast.get(headers) is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scheme=st.sampled_from([b"", b"Bearer "]),
    token=st.binary(max_size=80),
    etag=st.binary(max_size=20),
)
def test_arbitrary_headers_are_never_answered(
    fast: Fast, scheme: bytes, token: bytes, etag: bytes
) -> None:
    headers = {b"authorization": scheme + token, b"if-none-match": etag}
    assert fast.get(headers) is None
    assert fast.get({**headers, b"if-none-match": _quoted(ETAG)}) is None
    assert fast.get({**fast.headers(), b"if-none-match": etag}) is None


def test_what_the_check_refuses_is_passed_on_whatever_the_code(
    fast: Fast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code in ErrorCode:

        def refuse(*_args: object, code: ErrorCode = code) -> None:
            raise ProtocolError(code)

        monkeypatch.setattr("admin_site.agent_api.tokens.verify", refuse)
        assert fast.get() is None


# --- together with the view ---------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_view_refills_what_a_change_took_away() -> None:
    norrby: Tenant = make_tenant()
    computer, device = make_computer(norrby)
    first = device.ask("GET", "state")
    etag = str(first.headers["ETag"])
    assert _fast_get(device, etag) is None  # It became active, which is a change.
    assert (
        device.ask("GET", "state", headers={"If-None-Match": etag}).status_code == 304
    )
    assert _fast_get(device, etag) == 304
    agent_cache.forget({computer.pk: 99})
    assert _fast_get(device, etag) is None


def _fast_get(device: Device, etag: str) -> int | None:
    headers = [
        (b"authorization", device.authorization("GET", STATE_PATH).encode()),
        (b"if-none-match", etag.encode()),
    ]
    scope = {
        "type": "http",
        "method": "GET",
        "path": STATE_PATH,
        "query_string": b"",
        "headers": headers,
    }
    sent: list[Any] = []
    with _no_database(), CaptureQueriesContext(connection) as queries:
        async_to_sync(_call)(scope, sent, [])
    assert len(queries) == 0
    return int(sent[0]["status"]) if sent else None


def test_a_job_that_waits_sends_the_computer_to_the_view(api: Api) -> None:
    response = api.ask("state")
    assert response.headers["CitizenPC-Work"] == "jobs, orders"
    etag = str(response.headers["ETag"])
    api.ask("state", headers={"If-None-Match": etag})
    assert _fast_get(api.device, etag) is None


@pytest.mark.django_db(transaction=True)
def test_new_work_ends_the_304s_until_it_has_been_fetched() -> None:
    norrby = make_tenant()
    computer, device = make_computer(norrby)
    script = make_script()
    etag = str(device.ask("GET", "state").headers["ETag"])
    asking = {"If-None-Match": etag}
    assert "CitizenPC-Work" not in device.ask("GET", "state", headers=asking).headers
    assert _fast_get(device, etag) == 304
    job = make_run(norrby, [computer], script)
    assert _fast_get(device, etag) is None
    told = device.ask("GET", "state", headers=asking)
    assert (told.status_code, told.headers["CitizenPC-Work"]) == (304, "jobs")
    assert _fast_get(device, etag) is None
    leased = device.ask("POST", "jobs/lease", LeaseRequest(request_id=uuid4()))
    assert len(codec.decode(LeaseAnswer, leased.content).leases) == 1
    device.ask("GET", "state", headers=asking)
    assert _fast_get(device, etag) == 304
    with norrby.scope():
        end_overdue_jobs(organisation_id=norrby.id, now=clock.now() + LEASE)
        assert only_job(job).status == "queued"
    assert _fast_get(device, etag) is None
