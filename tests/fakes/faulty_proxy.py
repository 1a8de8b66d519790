"""A proxy on 127.0.0.1 between a real agent and portal that goes wrong on demand.

Each rule looks at one request and may change it, lose its answer, change the answer, or
send it twice. WebSockets pass through, or are refused as some real proxies do.
"""

import contextlib
import http.client
import re
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade"}


@dataclass
class Passing:
    """One request on its way."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Returning:
    """Its answer on the way back."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Rule:
    """What to do with requests whose ``METHOD path`` matches `pattern`.

    `change` may alter the request, `answer` the answer (None loses it); `is_doubled`
    sends the identical request a second time first. `remaining` counts down; None
    means always. `applied` is set once the rule was used up or used for the first time.
    """

    pattern: str
    change: Callable[[Passing], Passing] | None = None
    answer: Callable[[Returning], Returning | None] | None = None
    is_doubled: bool = False
    remaining: int | None = 1
    applied: threading.Event = field(default_factory=threading.Event)

    def fits(self, method: str, path: str) -> bool:
        """Whether the rule is for this request and not used up."""
        if self.remaining is not None and self.remaining <= 0:
            return False
        return re.search(self.pattern, f"{method} {path}") is not None


class FaultyProxy:
    """Runs in threads of this process; `origin` is what the agent is told."""

    def __init__(self, upstream_port: int, *, port: int = 0) -> None:
        self.upstream_port = upstream_port
        self.blocks_sockets = False
        self.seen: list[Passing] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "FaultyProxy":
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextlib.contextmanager
    def rule(self, pattern: str, **kwargs: Any) -> Iterator[Rule]:
        """A rule that holds inside the block."""
        rule = Rule(pattern, **kwargs)
        with self._lock:
            self._rules.append(rule)
        try:
            yield rule
        finally:
            with self._lock:
                self._rules.remove(rule)

    def rule_for(self, method: str, path: str) -> Rule | None:
        """The first rule that fits, counted as used."""
        with self._lock:
            for rule in self._rules:
                if rule.fits(method, path):
                    if rule.remaining is not None:
                        rule.remaining -= 1
                    return rule
        return None

    def forward(self, passing: Passing) -> Returning:
        """The portal's real answer."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.upstream_port, timeout=30
        )
        with contextlib.closing(connection):
            connection.request(
                passing.method, passing.path, passing.body or None, passing.headers
            )
            response = connection.getresponse()
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in HOP_BY_HOP | {"content-length"}
            }
            return Returning(response.status, headers, response.read())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FaultyProxy

    def handle_any(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._socket()
            return
        length = int(self.headers.get("Content-Length") or 0)
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in HOP_BY_HOP | {"content-length"}
        }
        passing = Passing(self.command, self.path, headers, self.rfile.read(length))
        self.owner.seen.append(passing)
        returning = self._through(passing)
        if returning is None:
            self.close_connection = True
            return
        self.send_response(returning.status)
        for name, value in returning.headers.items():
            self.send_header(name, value)
        if returning.status not in (204, 304):
            self.send_header("Content-Length", str(len(returning.body)))
        self.end_headers()
        self.wfile.write(returning.body)

    do_GET = do_POST = do_PATCH = handle_any  # noqa: N815 - the library's names

    def _through(self, passing: Passing) -> Returning | None:
        rule = self.owner.rule_for(passing.method, passing.path)
        try:
            if rule is None:
                return self.owner.forward(passing)
            if rule.change is not None:
                passing = rule.change(passing)
            if rule.is_doubled:
                self.owner.forward(passing)
            returning = self.owner.forward(passing)
        except OSError:
            return None
        answered = rule.answer(returning) if rule.answer is not None else returning
        rule.applied.set()
        return answered

    def _socket(self) -> None:
        self.close_connection = True
        if self.owner.blocks_sockets:
            self.send_error(403, "no WebSockets here")
            return
        with socket.create_connection(("127.0.0.1", self.owner.upstream_port)) as far:
            lines = [self.requestline, *map(": ".join, self.headers.items()), "", ""]
            far.sendall("\r\n".join(lines).encode("latin-1"))
            _tunnel(self.connection, far)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _tunnel(near: socket.socket, far: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _events in selector.select(timeout=60):
                source: Any = key.fileobj
                try:
                    data = source.recv(65536)
                    key.data.sendall(data)
                except OSError:
                    return
                if not data:
                    return
