"""``WS /agent/v1/socket``: one computer, authenticated once, hints only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connections

from admin_site.agent_api import consumers
from admin_site.agent_api.consumers import AgentConsumer
from admin_site.computers import agent_cache
from admin_site.computers.enrolment import revoke_computer
from admin_site.computers.models import Computer
from admin_site.core import clock, publish
from client_agent.protocol.socket import Hint
from tests.admin_site.backend_objects import (
    Device,
    Tenant,
    make_computer,
    make_tenant,
)

PATH = "/agent/v1/socket"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def norrby() -> Tenant:
    return make_tenant()


@pytest.fixture
def known(norrby: Tenant) -> tuple[Computer, Device]:
    return make_computer(norrby)


@pytest.fixture(autouse=True)
def _of_this_loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A timer and a cache client of this test's event loop."""
    monkeypatch.setattr(consumers, "_connected", consumers._Connected())
    yield
    connections.close_all()


class Socket(WebsocketCommunicator):
    """The computer's end."""

    async def opens(self) -> bool:
        is_open, self.close_code = await self.connect(timeout=10)
        return bool(is_open)

    async def message(self) -> dict[str, Any]:
        text: dict[str, Any] = json.loads(await self.receive_from(timeout=10))
        return text

    async def closed_with(self) -> int:
        output = await self.receive_output(timeout=10)
        assert output["type"] == "websocket.close"
        return int(output["code"])


def _socket(
    device: Device | None, *, authorization: str | None = None, **changes: Any
) -> Socket:
    headers = []
    if authorization is None and device is not None:
        target = changes.pop("target", PATH)
        authorization = device.authorization("GET", target, **changes)
    if authorization is not None:
        headers.append((b"authorization", authorization.encode("latin-1")))
    return Socket(AgentConsumer.as_asgi(), PATH, headers=headers)


@async_to_sync
async def _run(steps: Callable[[], Awaitable[None]]) -> None:
    """Do `steps` and leave nothing of their loop behind."""
    try:
        await steps()
    finally:
        connected = consumers._connected
        if connected._timer is not None:
            connected._timer.cancel()
        await connected.cache.aclose()
        await get_channel_layer().flush()


def test_the_right_computer_is_let_in_and_seen(
    known: tuple[Computer, Device],
) -> None:
    computer, device = known

    async def steps() -> None:
        socket = _socket(device)
        assert await socket.opens()
        await socket.disconnect()

    _run(steps)
    assert computer.pk in agent_cache.seen_at([computer.pk])


def test_who_is_not_known_is_refused(known: tuple[Computer, Device]) -> None:
    _computer, device = known
    now = int(clock.now().timestamp())

    async def steps() -> None:
        for socket in (
            _socket(None),
            _socket(None, authorization="Bearer rubbish"),
            _socket(None, authorization="Bearer \xff.\xff.\xff"),
            _socket(Device()),
            _socket(device, key=Ed25519PrivateKey.generate()),
            _socket(device, audience="https://evil.example"),
            _socket(device, target="/agent/v1/state"),
            _socket(device, now=now - 3600),
        ):
            assert not await socket.opens()
            assert socket.close_code == 4401

    _run(steps)


def test_a_token_opens_one_socket(known: tuple[Computer, Device]) -> None:
    _computer, device = known
    authorization = device.authorization("GET", PATH)

    async def steps() -> None:
        first = _socket(None, authorization=authorization)
        assert await first.opens()
        replayed = _socket(None, authorization=authorization)
        assert not await replayed.opens()
        assert replayed.close_code == 4401
        await first.disconnect()
        late = _socket(None, authorization=authorization)
        assert not await late.opens()

    _run(steps)


def test_a_revoked_computer_is_refused(
    norrby: Tenant, known: tuple[Computer, Device]
) -> None:
    computer, device = known
    with norrby.scope():
        revoke_computer(computer=computer, by=norrby.admin, now=clock.now())

    async def steps() -> None:
        socket = _socket(device)
        assert not await socket.opens()
        assert socket.close_code == 4401

    _run(steps)


def _in_thread(act: Callable[[], None]) -> Awaitable[None]:
    """What another process would do: here a thread with its own connection."""

    def whole() -> None:
        try:
            act()
        finally:
            connections.close_all()

    return asyncio.to_thread(whole)


@pytest.mark.parametrize("hint", [Hint.STATE, Hint.JOBS, Hint.ORDERS])
def test_a_nudge_is_passed_on(known: tuple[Computer, Device], hint: Hint) -> None:
    computer, device = known

    async def steps() -> None:
        socket = _socket(device)
        assert await socket.opens()
        await _in_thread(lambda: publish.nudge_computers_now([computer.pk], hint))
        assert await socket.message() == {"nudge": hint.value}
        await socket.disconnect()

    _run(steps)


def test_a_nudge_for_another_computer_is_not(
    norrby: Tenant, known: tuple[Computer, Device]
) -> None:
    computer, device = known
    other, _device = make_computer(norrby, "pc-2")

    async def steps() -> None:
        socket = _socket(device)
        assert await socket.opens()
        await _in_thread(lambda: publish.nudge_computers_now([other.pk], Hint.CLOSE))
        await _in_thread(lambda: publish.nudge_computers_now([computer.pk], Hint.STATE))
        assert await socket.message() == {"nudge": "state"}
        await socket.disconnect()

    _run(steps)


def test_revoking_closes_the_socket(
    norrby: Tenant, known: tuple[Computer, Device]
) -> None:
    computer, device = known

    def revoke() -> None:
        with norrby.scope():
            revoke_computer(computer=computer, by=norrby.admin, now=clock.now())

    async def steps() -> None:
        socket = _socket(device)
        assert await socket.opens()
        await _in_thread(revoke)
        assert await socket.message() == {"nudge": "close"}
        assert await socket.closed_with() == 4000

    _run(steps)


@pytest.mark.parametrize("data", ["hello", '{"nudge":"state"}', b"\x00\xff"])
def test_a_computer_that_speaks_is_shown_out(
    known: tuple[Computer, Device], data: str | bytes
) -> None:
    _computer, device = known

    async def steps() -> None:
        socket = _socket(device)
        assert await socket.opens()
        if isinstance(data, str):
            await socket.send_to(text_data=data)
        else:
            await socket.send_to(bytes_data=data)
        assert await socket.closed_with() == 4400

    _run(steps)


def test_two_sockets_of_one_computer_both_hear(
    known: tuple[Computer, Device],
) -> None:
    computer, device = known

    async def steps() -> None:
        first, second = _socket(device), _socket(device)
        assert await first.opens()
        assert await second.opens()
        assert consumers._connected._sockets == {computer.pk: 2}
        await first.disconnect()
        assert consumers._connected._sockets == {computer.pk: 1}
        await _in_thread(lambda: publish.nudge_computers_now([computer.pk], Hint.JOBS))
        assert await second.message() == {"nudge": "jobs"}
        await second.disconnect()
        assert consumers._connected._sockets == {}

    _run(steps)


def test_without_valkey_nobody_is_let_in(
    known: tuple[Computer, Device], settings: Any, tmp_path: Any
) -> None:
    _computer, device = known
    settings.REDIS_URL = f"unix://{tmp_path}/gone.sock"

    async def steps() -> None:
        socket = _socket(device)
        assert not await socket.opens()
        assert socket.close_code == 4401

    _run(steps)


def test_a_socket_ends_by_itself_after_hours(
    known: tuple[Computer, Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    _computer, device = known
    least, most = consumers.LIFE_SECONDS
    assert 6 * 3600 <= least < most <= 12 * 3600
    monkeypatch.setattr(consumers, "LIFE_SECONDS", (0, 0))

    async def steps() -> None:
        socket = _socket(device)
        assert await socket.opens()
        assert await socket.closed_with() == 4000

    _run(steps)
