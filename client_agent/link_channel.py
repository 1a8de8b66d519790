"""The root half's end of the socket to link, which may send anything at all."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from client_agent import link_frames, peer
from client_agent.errors import AgentError
from client_agent.link_frames import (
    Answered,
    Configure,
    Exchange,
    Failed,
    FrameError,
    FromLink,
    Hello,
    Nudged,
    Part,
    SocketChanged,
)
from client_agent.protocol import limits
from client_agent.protocol.socket import Hint
from client_agent.waiting import result_within

log = logging.getLogger(__name__)

_GRACE_SECONDS = 5
_CLOSE_SECONDS = 0.5

Sink = Callable[[bytes], object]
"""Takes an answer's body piece by piece; an OSError of it fails the exchange."""


class LinkError(AgentError):
    """No answer came; ``link-down``, ``exchange-timeout`` or what link said."""


@dataclass(frozen=True)
class Answer:
    """What the portal said. `body` is empty when a sink took it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class _Pending:
    future: "asyncio.Future[Answer]"
    limit: int
    sink: Sink | None
    first: Answered | None = None
    body: bytearray = field(default_factory=bytearray)
    taken_bytes: int = 0


class LinkEvents:
    """What the channel tells who owns it. Called in the loop's thread."""

    def link_came(self, link_key: bytes) -> None: ...
    def link_went(self) -> None: ...
    def nudged(self, hint: Hint) -> None: ...
    def socket_changed(self, is_up: bool) -> None: ...
    def link_misbehaved(self, detail: str) -> None: ...


class LinkChannel:
    """Listens for one link at a time and passes exchanges to it."""

    def __init__(self, path: Path, *, link_uid: int, events: LinkEvents) -> None:
        self._path = path
        self._link_uid = link_uid
        self._events = events
        self._server: asyncio.AbstractServer | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._serving: asyncio.Task[None] | None = None
        self._link_key: bytes | None = None
        self._configuration: Configure | None = None
        self._last_id = 0
        self._pending: dict[int, _Pending] = {}
        self._given_up: set[int] = set()
        self.clock_offset_seconds = 0

    @property
    def link_key(self) -> bytes | None:
        """Public key of the link that is connected now."""
        return self._link_key

    async def open(self) -> None:
        """Listen; a socket that a killed predecessor left is replaced."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self._path))
            os.chmod(self._path, 0o600)
            if os.geteuid() == 0:
                os.chown(self._path, self._link_uid, -1)
            self._server = await asyncio.start_unix_server(
                self._serve, sock=listener, limit=link_frames.FRAME_BYTES
            )
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._writer is not None:
            self._writer.close()
        if self._serving is not None:
            await asyncio.wait({self._serving}, timeout=_CLOSE_SECONDS)
        self._path.unlink(missing_ok=True)

    def configure(self, configuration: Configure) -> None:
        """Tell link whom to talk to, now and whenever it connects."""
        if configuration != self._configuration:
            self._configuration = configuration
            self._send(configuration)

    async def exchange(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        is_signed: bool = True,
        limit: int = limits.BODY_BYTES,
        timeout_seconds: int = 60,
        sink: Sink | None = None,
    ) -> Answer:
        """Have link make one request.

        Raises:
            LinkError: no answer came, and its `code` says why.
            OSError: of `sink`.
        """
        if self._link_key is None:
            raise LinkError("link-down")
        self._last_id += 1
        number = self._last_id
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending[number] = _Pending(future, limit, sink)
        self._send(
            Exchange(
                id=number,
                method=method,
                target=target,
                body=body,
                headers=dict(headers or {}),
                limit=limit,
                timeout_seconds=timeout_seconds,
                is_signed=is_signed,
            )
        )
        try:
            return await result_within(future, timeout_seconds + _GRACE_SECONDS)
        except TimeoutError as error:
            raise LinkError("exchange-timeout", f"{method} {target}") from error
        finally:
            if self._pending.pop(number, None) is not None:
                self._given_up.add(number)

    def _send(self, frame: Configure | Exchange) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(link_frames.encode(frame))

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        uid = peer.uid_of(writer.get_extra_info("socket"))
        if uid != self._link_uid or self._writer is not None:
            if uid != self._link_uid:
                self._events.link_misbehaved(f"connection by user {uid}")
            writer.close()
            return
        self._writer = writer
        self._serving = asyncio.current_task()
        if self._configuration is not None:
            self._send(self._configuration)
        try:
            while True:
                self._take(await _read_frame(reader))
        except FrameError as error:
            log.warning("link sent a frame that is refused: %s", error)
            self._events.link_misbehaved(str(error)[:300])
        except (OSError, asyncio.IncompleteReadError):
            log.info("link disconnected")
        finally:
            self._forget_link(writer)

    def _forget_link(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        self._writer = None
        self._given_up.clear()
        for pending in list(self._pending.values()):
            _fail(pending, LinkError("link-down"))
        if self._link_key is not None:
            self._link_key = None
            self._events.link_went()

    def _take(self, frame: FromLink) -> None:
        """Act on one frame; raises FrameError for one out of place."""
        if isinstance(frame, Hello):
            if self._link_key is not None:
                raise FrameError("second hello")
            self._link_key = frame.link_key
            self._events.link_came(frame.link_key)
        elif self._link_key is None:
            raise FrameError("no hello")
        elif isinstance(frame, Nudged):
            self._events.nudged(frame.hint)
        elif isinstance(frame, SocketChanged):
            self._events.socket_changed(frame.is_up)
        else:
            self._take_answer(frame)

    def _take_answer(self, frame: Answered | Part | Failed) -> None:
        pending = self._pending.get(frame.id)
        if pending is None:
            if frame.id not in self._given_up:
                raise FrameError("answer to a question that was not asked")
            if isinstance(frame, Failed) or frame.is_last:
                self._given_up.discard(frame.id)
            return
        if isinstance(frame, Failed):
            _fail(pending, LinkError(frame.code, frame.detail))
            del self._pending[frame.id]
            return
        self._take_body(pending, frame)
        if frame.is_last:
            del self._pending[frame.id]

    def _take_body(self, pending: _Pending, frame: Answered | Part) -> None:
        if isinstance(frame, Answered):
            if pending.first is not None:
                raise FrameError("two answers to one question")
            pending.first = frame
            self.clock_offset_seconds = frame.clock_offset_seconds
            data = frame.body
        else:
            data = frame.data
        first = pending.first
        if first is None:
            raise FrameError("part without an answer")
        pending.taken_bytes += len(data)
        for_sink = pending.sink if first.status == 200 else None
        limit = pending.limit if for_sink else min(pending.limit, limits.BODY_BYTES)
        if pending.taken_bytes > limit:
            raise FrameError("answer longer than was asked for")
        try:
            if for_sink is not None:
                for_sink(data)
            else:
                pending.body += data
        except OSError as error:
            _fail(pending, error)
        if frame.is_last and not pending.future.done():
            answer = Answer(first.status, first.headers, bytes(pending.body))
            pending.future.set_result(answer)


def _fail(pending: _Pending, error: Exception) -> None:
    if not pending.future.done():
        pending.future.set_exception(error)


async def _read_frame(reader: asyncio.StreamReader) -> FromLink:
    prefix = await reader.readexactly(link_frames.LENGTH_BYTES)
    payload = await reader.readexactly(link_frames.length_of(prefix))
    return link_frames.decode(FromLink, payload)  # type: ignore[arg-type]
