"""The socket of an open page: hints about what it shows, never content."""

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from redis.exceptions import RedisError

from admin_site.core.permissions import Permission
from admin_site.core.publish import group_of_topic
from admin_site.live.topics import (
    PERMISSIONS,
    TopicRefused,
    TopicUnknown,
    check_topic,
)

log = structlog.get_logger(__name__)

MESSAGE_BYTES = 1024
MOST_TOPICS = 8
CHECKED_FOR_SECONDS = 60.0
"""How long a permission counts before a hint makes us look again."""

MALFORMED = 4400
ANONYMOUS = 4401
REFUSED = 4403
UNKNOWN = 4404
TRY_LATER = 4503


class PageConsumer(AsyncWebsocketConsumer):
    """Takes ``{"subscribe": {"topic", "id"}}``, answers ``{"subscribed": ...}``.

    Afterwards it sends ``{"topic", "id", "what"}`` whenever that changed; the page
    fetches the part again. Whoever may not see the page may not follow it either.
    """

    access: Mapping[str, Permission] = PERMISSIONS

    async def connect(self) -> None:
        self.checked_at: dict[tuple[str, UUID], float] = {}
        # Accepted first: a browser sees the code of a close, not of a refusal.
        await self.accept()
        if not self.scope["user"].is_authenticated:
            await self.close(ANONYMOUS)

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        wanted = _subscription(text_data)
        if wanted is None or len(self.checked_at) >= MOST_TOPICS:
            await self.close(MALFORMED)
        elif await self._may_follow(*wanted):
            await self._follow(*wanted)

    async def disconnect(self, code: int) -> None:
        for topic, key in self.checked_at:
            try:
                await self.channel_layer.group_discard(
                    group_of_topic(topic, key), self.channel_name
                )
            except (OSError, RedisError) as error:
                log.warning("page-socket-not-left", reason=type(error).__name__)

    async def page_hint(self, event: dict[str, Any]) -> None:
        """Pass a hint on, if the person may still have it."""
        topic, key = event["topic"], UUID(event["id"])
        age = time.monotonic() - self.checked_at.get((topic, key), 0.0)
        if age > CHECKED_FOR_SECONDS and not await self._may_follow(topic, key):
            return
        hint = {"topic": topic, "id": str(key), "what": event["what"]}
        await self.send(json.dumps(hint))

    async def _may_follow(self, topic: str, key: UUID) -> bool:
        """Whether the person may; closes the socket if not."""
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(ANONYMOUS)
            return False
        try:
            await database_sync_to_async(check_topic)(user.pk, topic, key)
        except TopicUnknown:
            await self.close(UNKNOWN)
            return False
        except TopicRefused:
            await self.close(REFUSED)
            return False
        self.checked_at[topic, key] = time.monotonic()
        return True

    async def _follow(self, topic: str, key: UUID) -> None:
        try:
            await self.channel_layer.group_add(
                group_of_topic(topic, key), self.channel_name
            )
        except (OSError, RedisError) as error:
            log.warning("page-socket-not-joined", reason=type(error).__name__)
            await self.close(TRY_LATER)
            return
        answer = {"subscribed": {"topic": topic, "id": str(key)}}
        await self.send(json.dumps(answer))


def _subscription(text: str | None) -> tuple[str, UUID] | None:
    """Topic and id of a well-formed message, else nothing."""
    if text is None or len(text) > MESSAGE_BYTES:
        return None
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    wanted = message.get("subscribe") if isinstance(message, dict) else None
    if not isinstance(wanted, dict) or set(wanted) != {"topic", "id"}:
        return None
    topic, key = wanted["topic"], wanted["id"]
    if not isinstance(topic, str) or topic not in PERMISSIONS:
        return None
    try:
        return (topic, UUID(key)) if isinstance(key, str) else None
    except ValueError:
        return None
