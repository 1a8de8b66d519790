"""The socket of an open page: judged like the page, and robust against anything."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.layers import channel_layers, get_channel_layer
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin_site.accounts.models import User
from admin_site.core.publish import group_of_topic
from admin_site.core.tenancy import scoped
from admin_site.live import consumers
from admin_site.live.consumers import PageConsumer
from admin_site.tenancy.models import Membership
from admin_site.tenancy.roles import Role
from tests.factories.computers import make_computer
from tests.factories.people import ThreePeople
from tests.factories.runs import make_run
from tests.factories.tenants import make_member

Socket = WebsocketCommunicator


@pytest.fixture(autouse=True)
def _in_this_test(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Consumers share the test's transaction; each event loop has its own layer.

    Channels closes connections between messages; its test tools prevent that for all
    but the last one.
    """
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
    channel_layers.backends.clear()
    yield
    channel_layers.backends.clear()


@asynccontextmanager
async def socket_of(user: User | None) -> AsyncIterator[Any]:
    socket = Socket(PageConsumer.as_asgi(), "/ws/live/")
    socket.scope["user"] = user or AnonymousUser()
    is_connected, _protocol = await socket.connect()
    assert is_connected
    try:
        yield socket
    finally:
        await socket.disconnect()
        await get_channel_layer().flush()


def in_loop(act: Callable[[], Awaitable[None]]) -> None:
    """Run `act` so that the consumer's queries use this test's transaction."""
    async_to_sync(act)()


async def subscribe(socket: Any, topic: str, key: UUID) -> dict[str, Any]:
    wanted = {"subscribe": {"topic": topic, "id": str(key)}}
    await socket.send_to(text_data=json.dumps(wanted))
    message: dict[str, Any] = await socket.receive_output()
    return message


async def hint(topic: str, key: UUID, what: str) -> None:
    await get_channel_layer().group_send(
        group_of_topic(topic, key),
        {"type": "page.hint", "topic": topic, "id": str(key), "what": what},
    )


def close_code_of(user: User | None, topic: str, key: UUID) -> int | None:
    """Code of the close that answers a subscription; none when it is granted."""
    codes: list[int | None] = []

    async def act() -> None:
        async with socket_of(user) as socket:
            if user is None:
                answer = await socket.receive_output()
            else:
                answer = await subscribe(socket, topic, key)
            codes.append(answer.get("code"))

    in_loop(act)
    return codes[0]


def test_passes_hints_on(three_people: ThreePeople) -> None:
    key = three_people.site.pk

    async def act() -> None:
        async with socket_of(three_people.alice) as socket:
            answer = await subscribe(socket, "site", key)
            assert json.loads(answer["text"]) == {
                "subscribed": {"topic": "site", "id": str(key)}
            }
            await hint("site", key, "computers")
            assert await socket.receive_json_from() == {
                "topic": "site",
                "id": str(key),
                "what": "computers",
            }
            await hint("site", uuid4(), "computers")
            assert await socket.receive_nothing()

    in_loop(act)


def test_runs_may_be_followed_by_who_may_see_them(three_people: ThreePeople) -> None:
    run = make_run(three_people.site, [make_computer(three_people.site)])
    desk = make_member(three_people.site, Role.FRONT_DESK)
    assert close_code_of(three_people.alice, "run", run.pk) is None
    assert close_code_of(three_people.bob, "run", run.pk) is None
    assert close_code_of(desk, "run", run.pk) == consumers.REFUSED
    assert close_code_of(three_people.charlie, "run", run.pk) == consumers.UNKNOWN
    assert close_code_of(None, "run", run.pk) == consumers.ANONYMOUS


def test_sites_may_be_followed_by_members(three_people: ThreePeople) -> None:
    key = three_people.site.pk
    assert close_code_of(three_people.bob, "site", key) is None
    assert close_code_of(three_people.charlie, "site", key) == consumers.UNKNOWN
    assert close_code_of(None, "site", key) == consumers.ANONYMOUS


@pytest.mark.parametrize("topic", ["site", "run"])
def test_what_does_not_exist_is_unknown(three_people: ThreePeople, topic: str) -> None:
    assert close_code_of(three_people.alice, topic, uuid4()) == consumers.UNKNOWN


def test_an_inactive_person_follows_nothing(three_people: ThreePeople) -> None:
    User.objects.filter(pk=three_people.alice.pk).update(is_active=False)
    code = close_code_of(three_people.alice, "site", three_people.site.pk)
    assert code == consumers.UNKNOWN


def test_who_lost_the_role_gets_no_further_hint(
    three_people: ThreePeople, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "CHECKED_FOR_SECONDS", -1.0)
    site, bob = three_people.site, three_people.bob

    async def act() -> None:
        async with socket_of(bob) as socket:
            await subscribe(socket, "site", site.pk)
            await hint("site", site.pk, "runs")
            assert (await socket.receive_json_from())["what"] == "runs"
            await database(lambda: Membership.objects.filter(user=bob).delete())
            await hint("site", site.pk, "runs")
            assert (await socket.receive_output())["code"] == consumers.UNKNOWN

    async def database(change: Callable[[], Any]) -> None:
        def run() -> None:
            with scoped([site.organisation_id]):
                change()

        await database_sync_to_async(run)()

    in_loop(act)


def test_follows_a_bounded_number_of_topics(three_people: ThreePeople) -> None:
    runs = [make_run(three_people.site) for _each in range(consumers.MOST_TOPICS + 1)]

    async def act() -> None:
        async with socket_of(three_people.alice) as socket:
            for run in runs[:-1]:
                assert "text" in await subscribe(socket, "run", run.pk)
            answer = await subscribe(socket, "run", runs[-1].pk)
            assert answer["code"] == consumers.MALFORMED

    in_loop(act)


NEARLY = {"subscribe": {"topic": "site", "id": str(UUID(int=7))}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner)
    ),
    max_leaves=8,
)


@given(
    text=st.one_of(
        st.text(max_size=50),
        JSON.map(json.dumps),
        JSON.map(lambda value: json.dumps({"subscribe": value})),
        JSON.map(lambda v: json.dumps({"subscribe": {"topic": v, "id": "x"}})),
        JSON.map(lambda v: json.dumps({"subscribe": {"topic": "site", "id": v}})),
        st.just(json.dumps(NEARLY) + " " * 2000),
        st.just("[" * 1000),
        st.just(json.dumps({**NEARLY, "subscribe": {**NEARLY["subscribe"], "x": 1}})),
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_else_closes_with_a_code(three_people: ThreePeople, text: str) -> None:
    async def act() -> None:
        async with socket_of(three_people.alice) as socket:
            await socket.send_input({"type": "websocket.receive", "text": text})
            answer = await socket.receive_output()
            assert answer["type"] == "websocket.close"
            assert answer["code"] in (consumers.MALFORMED, consumers.UNKNOWN)

    channel_layers.backends.clear()
    in_loop(act)


def test_bytes_are_not_understood(three_people: ThreePeople) -> None:
    async def act() -> None:
        async with socket_of(three_people.alice) as socket:
            await socket.send_to(bytes_data=json.dumps(NEARLY).encode())
            assert (await socket.receive_output())["code"] == consumers.MALFORMED

    in_loop(act)
