"""HTTP and WebSocket of the fake portal. Source: RFC 9112, RFC 6455."""

import base64
import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client_agent.protocol import codec, keys
from client_agent.protocol.errors import Problem

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE, _PING, _PONG = 8, 9, 10


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    is_upgraded: bool = False

    @classmethod
    def of(cls, message: object) -> "Answer":
        return cls(200, codec.encode(message))

    @classmethod
    def upgraded(cls) -> "Answer":
        """The connection is a WebSocket now; there is nothing to answer."""
        return cls(101, b"", is_upgraded=True)


class Refusal(Exception):
    """Ends a request with a problem document."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.code)
        headers = {"Content-Type": "application/problem+json"}
        self.answer = Answer(status, codec.encode(problem), headers)


class Handler(BaseHTTPRequestHandler):
    """One connection; subclasses say what is answered."""

    protocol_version = "HTTP/1.1"

    def answer(self, method: str, target: str, body: bytes) -> Answer | None:
        """The answer; None closes the connection instead."""
        raise NotImplementedError

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        answer = self.answer(self.command, self.path, body)
        if answer is None:
            self.close_connection = True
            return
        if answer.is_upgraded:
            self.close_connection = True
            self.web_socket.listen()
            return
        with contextlib.suppress(OSError):  # the agent was killed meanwhile
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PATCH = _handle  # noqa: N815 - names of the library

    def upgrade(self) -> "WebSocket":
        key = self.headers["Sec-WebSocket-Key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324
        self.connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.web_socket = WebSocket(self.connection, self.rfile)
        return self.web_socket

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests look at what was asked, not at a log."""


class WebSocket:
    """The server's end; short unfragmented messages are all it needs."""

    def __init__(self, connection: socket.socket, source: Any) -> None:
        self._connection = connection
        self._source = source
        self._lock = threading.Lock()
        self.on_close: Callable[[], None] = lambda: None

    def send_text(self, data: bytes) -> None:
        self._send(0x81, data)

    def close(self) -> None:
        """Cut the connection without a word."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def listen(self) -> None:
        """Read until the other end closes; answers pings."""
        try:
            while (opcode := self._read()) not in (None, _CLOSE):
                if opcode == _PING:
                    self._send(0x80 | _PONG, b"")
        finally:
            self.on_close()

    def _send(self, first: int, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._connection.sendall(bytes([first, len(data)]) + data)

    def _read(self) -> int | None:
        with contextlib.suppress(OSError):
            head = self._source.read(2)
            if len(head) == 2:
                self._source.read(4 + (head[1] & 0x7F))
                return int(head[0] & 0x0F)
        return None


def token_claims(authorization: str | None, link_key: bytes) -> dict[str, Any] | None:
    """The claims of a Bearer token that `link_key` signed."""
    try:
        scheme, _, token = (authorization or "").partition(" ")
        signing_input, _, signature = token.rpartition(".")
        Ed25519PublicKey.from_public_bytes(link_key).verify(
            keys.from_b64url(signature), signing_input.encode()
        )
        claims = json.loads(keys.from_b64url(signing_input.partition(".")[2]))
    except (InvalidSignature, ValueError):
        return None
    return claims if scheme == "Bearer" else None
