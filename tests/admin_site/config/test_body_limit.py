"""Bodies above 1 MiB do not reach Django, whether they say their length or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from admin_site.config.asgi import application
from client_agent.protocol import codec, limits
from client_agent.protocol.errors import Problem

PIECE = 64 * 1024


def ask(path: str, pieces: Iterator[bytes], *, length: bytes | None = None) -> Any:
    """Status, kind and body of the answer; how much was read of the request."""
    headers = [(b"host", b"testserver")]
    headers += [(b"content-length", length)] if length is not None else []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": headers,
        "client": ["127.0.0.1", 1],
    }
    sent: list[dict[str, Any]] = []
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        piece = next(pieces, b"")
        read += len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async_to_sync(application)(scope, receive, send)
    kind = dict(sent[0]["headers"])[b"content-type"]
    return sent[0]["status"], kind, sent[1]["body"], read


def endless() -> Iterator[bytes]:
    while True:
        yield b" " * PIECE


@pytest.mark.parametrize("path", ["/agent/v1/enrolments", "/agent/v1/facts"])
def test_an_agent_is_told_by_a_problem_document(path: str) -> None:
    for length, most in ((None, limits.BODY_BYTES + PIECE), (b"1048577", 0)):
        status, kind, body, read = ask(path, endless(), length=length)
        assert (status, kind) == (413, b"application/problem+json")
        assert codec.decode(Problem, body).code == "body-too-large"
        assert read <= most


def test_a_page_is_refused_likewise() -> None:
    for length in (None, b"1048577"):
        status, kind, body, read = ask("/accounts/login/", endless(), length=length)
        assert (status, kind) == (413, b"text/plain")
        assert body == b"more than 1048576 bytes\n"
        assert read <= limits.BODY_BYTES + PIECE
