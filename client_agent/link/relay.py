"""The link's end of the socket to the root half."""

import contextlib
import logging
import os
import queue
import socket
import threading
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client_agent import link_frames, peer
from client_agent.backoff import Backoff
from client_agent.key_files import public_bytes
from client_agent.link.socket import HintSocket
from client_agent.link.transport import Response, Transport, TransportError
from client_agent.link_frames import (
    Answered,
    Configure,
    Exchange,
    Failed,
    FrameError,
    FrameReader,
    FromLink,
    FromRoot,
    Hello,
    Part,
)

log = logging.getLogger(__name__)

_WORKERS = 4
_WAITING = 256
"""Exchanges that may wait for a worker; root never has nearly that many."""

_RECEIVE_BYTES = 64 * 1024


class Relay:
    """Connects to root, again and again, and does what it asks."""

    def __init__(self, socket_path: Path, key: Ed25519PrivateKey) -> None:
        self._path = socket_path
        self._key = key
        self._stopped = threading.Event()
        self._connection: socket.socket | None = None

    def run(self) -> None:
        """Serve until `stop`."""
        backoff = Backoff(first_seconds=0.2, most_seconds=5.0)
        while not self._stopped.is_set():
            try:
                with self._connected() as connection:
                    backoff.succeeded()
                    _Conversation(connection, self._key).run()
            except (OSError, FrameError) as error:
                log.info("no root half: %s", error)
            self._connection = None
            self._stopped.wait(backoff.after_failure())

    def stop(self) -> None:
        """Have `run` return; safe in a signal handler."""
        self._stopped.set()
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self._path))
            uid = peer.uid_of(connection)
            if uid not in (0, os.geteuid()):
                raise FrameError(f"root half runs as user {uid}")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        if self._stopped.is_set():  # stop() came before it could see the socket
            connection.shutdown(socket.SHUT_RDWR)
        return connection


class _Conversation:
    """One connection to root, with the threads that serve it."""

    def __init__(self, connection: socket.socket, key: Ed25519PrivateKey) -> None:
        self._connection = connection
        self._key = key
        self._send_lock = threading.Lock()
        self._work: queue.Queue[Exchange | None] = queue.Queue(_WAITING)
        self._transport: Transport | None = None
        self._hints: HintSocket | None = None

    def run(self) -> None:
        """Serve until root closes; raises FrameError if it talks nonsense."""
        self._send(Hello(link_key=public_bytes(self._key)))
        for number in range(_WORKERS):
            threading.Thread(
                target=self._work_off, name=f"exchange-{number}", daemon=True
            ).start()
        frames = FrameReader()
        try:
            while data := self._connection.recv(_RECEIVE_BYTES):
                for payload in frames.feed(data):
                    frame: FromRoot = link_frames.decode(
                        FromRoot,  # type: ignore[arg-type]
                        payload,
                    )
                    self._take(frame)
        finally:
            self._end()

    def _take(self, frame: FromRoot) -> None:
        if isinstance(frame, Configure):
            self._configure(frame)
            return
        try:
            self._work.put_nowait(frame)
        except queue.Full:
            self._send(Failed(id=frame.id, code="link-busy"))

    def _configure(self, configuration: Configure) -> None:
        if self._hints is not None:
            self._hints.stop()
            self._hints = None
        transport = Transport(configuration, self._key)
        self._transport = transport
        if configuration.wants_socket and configuration.computer is not None:
            self._hints = HintSocket(transport, self._send)
            self._hints.start()

    def _end(self) -> None:
        if self._hints is not None:
            self._hints.stop()
        with contextlib.suppress(queue.Empty):
            while True:
                self._work.get_nowait()
        for _ in range(_WORKERS):
            self._work.put_nowait(None)

    def _work_off(self) -> None:
        while (exchange := self._work.get()) is not None:
            try:
                self._perform(exchange)
            except OSError as error:  # root has gone; the main thread sees it too
                log.info("answer without a reader: %s", error)
            except Exception:
                log.exception("exchange failed unexpectedly")
                with contextlib.suppress(OSError):
                    self._send(Failed(id=exchange.id, code="link-failed"))

    def _perform(self, exchange: Exchange) -> None:
        transport = self._transport
        if transport is None:
            self._send(Failed(id=exchange.id, code="link-not-configured"))
            return
        try:
            response = transport.perform(exchange)
            self._send_answer(exchange, response, transport.clock_offset_seconds)
        except TransportError as error:
            self._send(Failed(id=exchange.id, code=error.code, detail=error.detail))

    def _send_answer(
        self, exchange: Exchange, response: Response, clock_offset_seconds: int
    ) -> None:
        """The body one part behind, so that the last part is known to be it."""
        held = next(response.parts, b"")
        is_first = True
        while True:
            following = next(response.parts, b"")
            if is_first:
                self._send(
                    Answered(
                        id=exchange.id,
                        status=response.status,
                        headers=dict(response.headers),
                        body=held,
                        is_last=not following,
                        clock_offset_seconds=clock_offset_seconds,
                    )
                )
                is_first = False
            else:
                self._send(Part(id=exchange.id, data=held, is_last=not following))
            if not following:
                return
            held = following

    def _send(self, frame: FromLink) -> None:
        data = link_frames.encode(frame)
        with self._send_lock:
            self._connection.sendall(data)
