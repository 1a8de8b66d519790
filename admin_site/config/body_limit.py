"""Refuses request bodies that are too large before Django takes them in.

Django believes a declared length; a body sent in pieces has none, so they are counted.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from admin_site.agent_api.problems import CONTENT_TYPE, problem
from client_agent.protocol import API_PREFIX
from client_agent.protocol.errors import ErrorCode

Application = Callable[..., Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class BodyLimit:
    """ASGI application around Django's."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if _declared_bytes(scope) > limit:
            await _refuse(scope, send, limit)
            return
        counted = _Counted(receive, limit)
        await self._inner(scope, counted, send)
        if counted.is_over:
            await _refuse(scope, send, limit)


def _declared_bytes(scope: Any) -> int:
    declared = dict(scope["headers"]).get(b"content-length", b"")
    return int(declared[:20]) if declared.isdigit() else 0


class _Counted:
    """`receive` that hangs up once more than `limit` bytes have come.

    Django reads the whole body before it answers anything. It cleans up after a client
    that has hung up, and answers nothing.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self.is_over = False
        self._receive = receive
        self._left = limit

    async def __call__(self) -> dict[str, Any]:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        self.is_over = self._left < 0
        return {"type": "http.disconnect"} if self.is_over else message


async def _refuse(scope: Any, send: Any, limit: int) -> None:
    detail = f"more than {limit} bytes"
    status, body = problem(ErrorCode.BODY_TOO_LARGE, detail=detail)
    kind = CONTENT_TYPE
    if not scope["path"].startswith(f"{API_PREFIX}/"):
        kind, body = "text/plain", f"{detail}\n".encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
