"""``WS /agent/v1/socket``: hints to one computer, nothing else."""

import asyncio
import random
from contextlib import suppress
from typing import Any, ClassVar
from uuid import UUID

import redis.asyncio
import structlog
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from redis.exceptions import RedisError

from admin_site.agent_api import tokens
from admin_site.agent_api.authentication import AgentIdentity, authenticate_token
from admin_site.computers.agent_cache import SEEN_KEY
from admin_site.core import clock
from admin_site.core.permissions import Access
from admin_site.core.publish import group_of_computer
from client_agent.protocol import codec, limits
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.socket import Hint, Nudge

log = structlog.get_logger(__name__)

LIFE_SECONDS = (6 * 3600, 12 * 3600)
SEEN_EVERY_SECONDS = 60
CLOSE_NOT_AUTHENTICATED = 4401
CLOSE_UNEXPECTED = 4400
CLOSE_ENDED = 4000


class _Connected:
    """The computers with a socket in this process; says once a minute that they live.

    One timer and one command for all of them, because ten thousand would be dear.
    """

    def __init__(self) -> None:
        self._sockets: dict[UUID, int] = {}
        self._timer: asyncio.Task[None] | None = None
        self._cache: redis.asyncio.Redis | None = None

    @property
    def cache(self) -> redis.asyncio.Redis:
        if self._cache is None:
            self._cache = redis.asyncio.Redis.from_url(
                settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2
            )
        return self._cache

    async def add(self, uid: UUID) -> None:
        self._sockets[uid] = self._sockets.get(uid, 0) + 1
        await self._tell([uid])
        if self._timer is None:
            self._timer = asyncio.create_task(self._tell_every_minute())

    def remove(self, uid: UUID) -> None:
        left = self._sockets.pop(uid, 0) - 1
        if left > 0:
            self._sockets[uid] = left

    async def _tell_every_minute(self) -> None:
        while True:
            await asyncio.sleep(SEEN_EVERY_SECONDS)
            await self._tell(list(self._sockets))

    async def _tell(self, uids: list[UUID]) -> None:
        if not uids:
            return
        now = clock.now().timestamp()
        try:
            await self.cache.zadd(SEEN_KEY, {str(uid): now for uid in uids})
        except (RedisError, OSError) as error:
            log.warning("cache-unreachable", reason=type(error).__name__)


_connected = _Connected()


class AgentConsumer(AsyncWebsocketConsumer):
    """Authenticated once, by a token that is good for one handshake."""

    access: ClassVar[Access] = Access.AGENT
    uid: UUID | None = None
    end: asyncio.TimerHandle | None = None

    async def connect(self) -> None:
        try:
            uid = await self._authenticated()
        except (ProtocolError, RedisError, OSError) as error:
            log.info("socket-refused", reason=str(error)[:60])
            await self.close(code=CLOSE_NOT_AUTHENTICATED)
            return
        await self.channel_layer.group_add(group_of_computer(uid), self.channel_name)
        self.uid = uid
        await self.accept()
        await _connected.add(uid)
        loop = asyncio.get_running_loop()
        # Jittered, so that ten thousand do not come back at once.
        seconds = random.uniform(*LIFE_SECONDS)  # noqa: S311
        self.end = loop.call_later(
            seconds, lambda: asyncio.ensure_future(self.close(code=CLOSE_ENDED))
        )

    async def disconnect(self, code: int) -> None:
        if self.end is not None:
            self.end.cancel()
        if self.uid is not None:
            _connected.remove(self.uid)
            with suppress(RedisError, OSError):
                await self.channel_layer.group_discard(
                    group_of_computer(self.uid), self.channel_name
                )
        raise StopConsumer

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        """Computers say nothing here."""
        await self.close(code=CLOSE_UNEXPECTED)

    async def agent_nudge(self, event: dict[str, Any]) -> None:
        """From `core.publish`."""
        hint = Hint(event["nudge"])
        await self.send(text_data=codec.encode(Nudge(nudge=hint)).decode())
        if hint is Hint.CLOSE:
            await self.close(code=CLOSE_ENDED)

    async def _authenticated(self) -> UUID:
        headers = dict(self.scope["headers"])
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        bound = tokens.BoundRequest(
            method="GET",
            target=self.scope["path"],
            body=b"",
            audiences=settings.ORIGINS,
            now=clock.now(),
        )
        check = database_sync_to_async(authenticate_token)
        identity: AgentIdentity = await check(authorization, bound)
        _token, claims = tokens.claimed(authorization)
        is_first = await _connected.cache.set(
            f"jti:{identity.uid}:{claims.jti}",
            1,
            nx=True,
            ex=limits.TOKEN_LIFETIME_SECONDS + 2 * limits.CLOCK_SKEW_SECONDS,
        )
        if not is_first:
            raise ProtocolError(ErrorCode.TOKEN_REPLAYED)
        return identity.uid
