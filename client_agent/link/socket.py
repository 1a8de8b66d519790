"""Hints from the portal over a WebSocket, as long as the way there allows one."""

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import websocket

from client_agent.backoff import Backoff
from client_agent.link.transport import Transport, TransportError, ca_file_of
from client_agent.link_frames import Nudged, SocketChanged
from client_agent.protocol import API_PREFIX, codec
from client_agent.protocol.errors import ProtocolError
from client_agent.protocol.socket import Hint, Nudge

log = logging.getLogger(__name__)

TARGET = f"{API_PREFIX}/socket"

_HANDSHAKE_SECONDS = 15
_PING_SECONDS = 300
"""Silence after which we ask; twice as long means that the way is broken.

Longer than the 240 s at which the portal asks, because a ping wakes everybody up.
Until then TCP's keep-alive, on by default in the library, holds and tests the way.
"""

_NUDGE_BYTES = 1024
_LASTED_SECONDS = 60
"""A socket that lived this long was a success; others keep the back-off growing."""


class HintSocket:
    """A thread that keeps a socket open and tells what comes over it."""

    def __init__(
        self,
        transport: Transport,
        tell: Callable[[Nudged | SocketChanged], None],
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self._transport = transport
        self._tell = tell
        self._backoff = backoff or Backoff(first_seconds=2.0)
        self._stopped = threading.Event()
        self._socket: websocket.WebSocket | None = None
        self._thread = threading.Thread(target=self._run, name="hints", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End without waiting; nothing is told afterwards."""
        self._stopped.set()
        current = self._socket
        if current is not None and current.sock is not None:
            with contextlib.suppress(OSError):  # it is gone already
                current.sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._connect_and_listen()
            except (
                websocket.WebSocketException,
                TransportError,
                OSError,
                ValueError,
            ) as error:
                log.info("no socket: %s", error)
            self._stopped.wait(self._backoff.after_failure())

    def _connect_and_listen(self) -> None:
        connection = self._connect()
        if connection is None:
            return
        self._socket = connection
        connected_at = time.monotonic()
        self._say(SocketChanged(is_up=True))
        try:
            self._listen(connection)
        finally:
            self._socket = None
            connection.shutdown()  # type: ignore[no-untyped-call]
            if time.monotonic() - connected_at > _LASTED_SECONDS:
                self._backoff.succeeded()
            self._say(SocketChanged(is_up=False))

    def _say(self, news: Nudged | SocketChanged) -> None:
        if not self._stopped.is_set():
            self._tell(news)

    def _connect(self) -> websocket.WebSocket | None:
        """An open socket; None after a refusal from which the clock was learned."""
        origin = self._transport.configuration.portal
        url = "ws" + origin.removeprefix("http") + TARGET
        token = self._transport.authorization("GET", TARGET, b"")
        options: dict[str, Any] = {
            "header": {"Authorization": token},
            "timeout": _HANDSHAKE_SECONDS,
            "suppress_origin": True,
            "redirect_limit": 0,
            "sslopt": _tls_options(self._transport),
            **_proxy_options(self._transport.configuration.proxy),
        }
        try:
            return websocket.create_connection(url, **options)
        except websocket.WebSocketBadStatusException as error:
            body = error.resp_body
            if isinstance(body, bytes) and self._transport.learn_clock(body):
                return None
            raise

    def _listen(self, connection: websocket.WebSocket) -> None:
        connection.settimeout(_PING_SECONDS)
        is_asked = False
        while not self._stopped.is_set():
            try:
                opcode, data = connection.recv_data(control_frame=True)
            except websocket.WebSocketTimeoutException:
                if is_asked:
                    raise
                connection.ping()
                is_asked = True
                continue
            is_asked = False
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return
            if opcode == websocket.ABNF.OPCODE_TEXT and not self._take(data):
                return

    def _take(self, message: bytes) -> bool:
        """Pass a hint on; False if it was the last one."""
        try:
            nudge = codec.decode(Nudge, message, limit=_NUDGE_BYTES)
        except ProtocolError as error:  # of a newer portal: polling covers it
            log.info("hint that is not understood: %s", error.code.value)
            return True
        self._say(Nudged(hint=nudge.nudge))
        return nudge.nudge is not Hint.CLOSE


def _tls_options(transport: Transport) -> dict[str, object]:
    ca_file = ca_file_of(transport.configuration)
    options: dict[str, object] = {"cert_reqs": ssl.CERT_REQUIRED}
    if ca_file is not None:
        options["ca_certs"] = ca_file
    return options


def _proxy_options(proxy: str | None) -> dict[str, object]:
    if proxy is None:
        return {}
    parts = urlsplit(proxy)
    options: dict[str, object] = {
        "proxy_type": "http",
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or (443 if parts.scheme == "https" else 80),
    }
    if parts.username is not None:
        options["http_proxy_auth"] = (parts.username, parts.password or "")
    return options
