"""``GET /agent/v1/state`` ahead of Django: a 304 costs no query and no view.

One read of the cache tells key, status and etag. Anything but a perfect match goes on
to the view, which answers and refills the cache; so this can be slow, never wrong.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio
import structlog
from django.conf import settings
from redis.exceptions import RedisError

from admin_site.agent_api import tokens
from admin_site.computers.agent_cache import (
    SEEN_KEY,
    AgentEntry,
    decode_entry,
    key_of,
)
from admin_site.computers.states import ComputerStatus
from admin_site.core import clock
from client_agent.protocol import API_PREFIX
from client_agent.protocol.errors import ProtocolError

log = structlog.get_logger(__name__)

STATE_PATH = f"{API_PREFIX}/state"
_SERVED = frozenset(
    {
        ComputerStatus.ACTIVE.value,
        ComputerStatus.SUSPENDED.value,
        ComputerStatus.OUT_OF_SERVICE.value,
    }
)

Application = Callable[..., Awaitable[None]]


class FastPath:
    """ASGI application around Django's."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner
        self._cache: redis.asyncio.Redis | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == STATE_PATH and scope["method"] == "GET":
            etag = await self._unchanged(scope)
            if etag is not None:
                await _send_not_modified(send, etag)
                return
        await self._inner(scope, receive, send)

    async def _unchanged(self, scope: Any) -> bytes | None:
        """The etag if the computer is who it says and has the current state."""
        headers = dict(scope["headers"])
        asked = headers.get(b"if-none-match", b"")
        has_body = headers.get(b"content-length", b"0") != b"0" or (
            b"transfer-encoding" in headers
        )
        if not asked or has_body:
            return None
        try:
            token, claims = tokens.claimed(
                headers.get(b"authorization", b"").decode("latin-1")
            )
            entry = await self._entry(key_of(claims.iss))
            if entry is None or entry.status not in _SERVED or entry.work:
                return None
            if not entry.etag or asked != f'"{entry.etag}"'.encode():
                return None
            tokens.verify(token, claims, entry.link_key, _bound(scope))
            await self._seen(str(claims.iss))
        except (ProtocolError, RedisError, OSError):
            return None  # The view says what is wrong, from the database.
        return bytes(asked)

    async def _entry(self, key: str) -> AgentEntry | None:
        return decode_entry(await self._client().hget(key, "e"))

    async def _seen(self, uid: str) -> None:
        await self._client().zadd(SEEN_KEY, {uid: clock.now().timestamp()})

    def _client(self) -> redis.asyncio.Redis:
        if self._cache is None:
            self._cache = redis.asyncio.Redis.from_url(
                settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1
            )
        return self._cache


def _bound(scope: Any) -> tokens.BoundRequest:
    query = scope["query_string"].decode("latin-1")
    return tokens.BoundRequest(
        method="GET",
        target=f"{STATE_PATH}?{query}" if query else STATE_PATH,
        body=b"",
        audiences=settings.ORIGINS,
        now=clock.now(),
    )


async def _send_not_modified(send: Any, etag: bytes) -> None:
    await send(
        {"type": "http.response.start", "status": 304, "headers": [(b"etag", etag)]}
    )
    await send({"type": "http.response.body", "body": b""})
