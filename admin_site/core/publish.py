"""Hints to computers and to open pages. A lost one costs time, never correctness.

The only caller of the channel layer outside consumers. Messages carry topics and
ids, no content: who receives one fetches what it may see.
"""

import asyncio
from collections.abc import Iterable
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

from client_agent.protocol.socket import Hint

log = structlog.get_logger(__name__)

Message = tuple[str, dict[str, str]]

SEND_SECONDS = 10
"""A Valkey that hangs costs a request this much at most; what is lost is repeated."""


def group_of_computer(uid: UUID) -> str:
    """Channel group of one computer's socket."""
    return f"agent.{uid}"


def group_of_topic(topic: str, key: UUID) -> str:
    """Channel group of the pages that show `topic` (``site``, ``run``) of `key`."""
    return f"page.{topic}.{key}"


def nudge_computers(uids: Iterable[UUID], hint: Hint) -> None:
    """Hint computers after this transaction that they should ask."""
    _after_commit([_nudge(uid, hint) for uid in uids])


def nudge_computers_now(uids: Iterable[UUID], hint: Hint) -> None:
    """Hint at once: for tasks that repeat what an earlier transaction published."""
    _send([_nudge(uid, hint) for uid in uids])


def hint_pages(topic: str, key: UUID, what: str) -> None:
    """Hint open pages after this transaction that `what` of the topic changed."""
    message = {"type": "page.hint", "topic": topic, "id": str(key), "what": what}
    _after_commit([(group_of_topic(topic, key), message)])


def _nudge(uid: UUID, hint: Hint) -> Message:
    return group_of_computer(uid), {"type": "agent.nudge", "nudge": hint.value}


def _after_commit(messages: list[Message]) -> None:
    if messages:
        transaction.on_commit(lambda: _send(messages), robust=True)


def _send(messages: list[Message]) -> None:
    try:
        async_to_sync(_send_all)(messages)
    except (OSError, RedisError, TimeoutError) as error:
        log.warning("hint-lost", count=len(messages), reason=type(error).__name__)


async def _send_all(messages: list[Message]) -> None:
    layer = get_channel_layer()
    async with asyncio.timeout(SEND_SECONDS):
        for group, message in messages:
            await layer.group_send(group, message)
