"""Hints go out after the commit, by the real channel layer; losing one is no error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from channels.layers import channel_layers, get_channel_layer
from django.db import connections, transaction

from admin_site.core import publish
from admin_site.core.errors import TransitionRefused
from admin_site.core.state_table import checked_transition
from client_agent.protocol.socket import Hint

UID = UUID(int=11)
SITE = UUID(int=12)

pytestmark = pytest.mark.django_db(transaction=True)


def _heard(group: str, act: Callable[[], None]) -> list[dict[str, Any]]:
    """What somebody in `group` hears while `act` runs in another thread."""

    def in_thread() -> None:
        try:
            act()
        finally:
            connections.close_all()

    async def listen() -> list[dict[str, Any]]:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(group, channel)
        await asyncio.to_thread(in_thread)
        heard = []
        await layer.group_send(group, {"type": "end"})
        while (message := await layer.receive(channel))["type"] != "end":
            heard.append(message)
        await layer.flush()
        return heard

    return async_to_sync(listen)()


def test_a_nudge_arrives_once_the_transaction_has_committed() -> None:
    def act() -> None:
        with transaction.atomic():
            publish.nudge_computers([UID], Hint.JOBS)

    assert _heard(publish.group_of_computer(UID), act) == [
        {"type": "agent.nudge", "nudge": "jobs"}
    ]


def test_what_is_rolled_back_is_never_told() -> None:
    def act() -> None:
        with transaction.atomic():
            publish.nudge_computers([UID], Hint.JOBS)
            publish.hint_pages("site", SITE, "computers")
            transaction.set_rollback(True)

    assert _heard(publish.group_of_computer(UID), act) == []
    assert _heard(publish.group_of_topic("site", SITE), act) == []


def test_pages_are_told_ids_and_no_content() -> None:
    heard = _heard(
        publish.group_of_topic("site", SITE),
        lambda: publish.hint_pages("site", SITE, "computers"),
    )
    assert heard == [
        {"type": "page.hint", "topic": "site", "id": str(SITE), "what": "computers"}
    ]


def test_others_hear_nothing() -> None:
    other = publish.group_of_computer(UUID(int=99))
    act = lambda: publish.nudge_computers_now([UID], Hint.CLOSE)  # noqa: E731
    assert _heard(other, act) == []


def test_without_valkey_a_hint_is_lost_with_a_line_in_the_log(
    settings: Any, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    layer = settings.CHANNEL_LAYERS["default"]
    gone = {**layer, "CONFIG": {"hosts": [f"unix://{tmp_path}/gone"], "prefix": "x"}}
    settings.CHANNEL_LAYERS = {"default": gone}
    channel_layers.backends.clear()
    publish.nudge_computers_now([UID], Hint.STATE)
    channel_layers.backends.clear()
    assert "hint-lost" in caplog.text


def test_nobody_to_tell_asks_nothing_of_the_channel_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publish, "_send", pytest.fail)
    publish.nudge_computers([], Hint.STATE)


def test_a_state_table_alone_decides() -> None:
    table = {"open": frozenset({"shut"}), "shut": frozenset[str]()}
    assert checked_transition(table, current="open", to="shut") == "shut"
    for current, to in (("shut", "open"), ("open", "open"), ("shut", "shut")):
        with pytest.raises(TransitionRefused):
            checked_transition(table, current=current, to=to)
