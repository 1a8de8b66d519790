"""The root half's end of the socket, with a hostile link on a real UNIX socket."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client_agent import link_frames
from client_agent.link_channel import Answer, LinkChannel, LinkError, LinkEvents
from client_agent.link_frames import (
    Answered,
    Configure,
    Exchange,
    Failed,
    FrameReader,
    FromLink,
    FromRoot,
    Hello,
    Nudged,
    Part,
    SocketChanged,
)
from client_agent.protocol.socket import Hint

HELLO = Hello(link_key=b"k" * 32)


class Events(LinkEvents):
    def __init__(self) -> None:
        self.told: list[object] = []
        self.changed = asyncio.Event()

    def _tell(self, news: object) -> None:
        self.told.append(news)
        self.changed.set()

    def link_came(self, link_key: bytes) -> None:
        self._tell("came")

    def link_went(self) -> None:
        self._tell("went")

    def nudged(self, hint: Hint) -> None:
        self._tell(hint)

    def socket_changed(self, is_up: bool) -> None:
        self._tell(is_up)

    def link_misbehaved(self, detail: str) -> None:
        self._tell("misbehaved")

    async def wait_for(self, news: object) -> None:
        while news not in self.told:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 10)


class Link:
    """The other end, as a test wants it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._frames = FrameReader()
        self._waiting: list[bytes] = []

    def send(self, *frames: FromLink) -> None:
        for frame in frames:
            self.writer.write(link_frames.encode(frame))

    async def receive(self) -> FromRoot:
        while not self._waiting:
            data = await asyncio.wait_for(self.reader.read(65536), 10)
            assert data, "root closed"
            self._waiting += self._frames.feed(data)
        frame: FromRoot = link_frames.decode(
            FromRoot,  # type: ignore[arg-type]
            self._waiting.pop(0),
        )
        return frame

    async def is_closed(self) -> bool:
        with contextlib.suppress(ConnectionResetError):
            while await asyncio.wait_for(self.reader.read(65536), 10):
                pass
        return True

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionResetError):
            await self.writer.wait_closed()


Scene = Callable[[LinkChannel, Events, Link], Awaitable[None]]


def play(path: Path, scene: Scene, *, link_uid: int | None = None) -> None:
    async def run() -> None:
        events = Events()
        uid = os.geteuid() if link_uid is None else link_uid
        channel = LinkChannel(path / "s", link_uid=uid, events=events)
        await channel.open()
        link = Link(*await asyncio.open_unix_connection(str(path / "s")))
        try:
            await scene(channel, events, link)
        finally:
            await link.close()
            await channel.close()

    asyncio.run(run())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


def test_exchange_is_answered(directory: Path) -> None:
    async def scene(channel: LinkChannel, events: Events, link: Link) -> None:
        link.send(HELLO)
        await events.wait_for("came")
        asked = asyncio.create_task(channel.exchange("GET", "/x", limit=10))
        request = await link.receive()
        assert isinstance(request, Exchange)
        assert (request.method, request.target) == ("GET", "/x")
        link.send(
            Answered(id=request.id, status=200, body=b"ab", is_last=False),
            Part(id=request.id, data=b"cd", is_last=True),
        )
        assert await asked == Answer(200, {}, b"abcd")

    play(directory, scene)


def test_link_is_configured_whenever_it_comes(directory: Path) -> None:
    async def scene(channel: LinkChannel, events: Events, link: Link) -> None:
        link.send(HELLO)
        await events.wait_for("came")
        configuration = Configure(portal="https://p", audience="https://p")
        channel.configure(configuration)
        assert await link.receive() == configuration
        link.writer.close()
        await events.wait_for("went")
        again = Link(*await asyncio.open_unix_connection(str(directory / "s")))
        assert await again.receive() == configuration
        await again.close()

    play(directory, scene)


def test_other_users_are_turned_away(directory: Path) -> None:
    async def scene(channel: LinkChannel, events: Events, link: Link) -> None:
        link.send(HELLO)
        assert await link.is_closed()
        assert events.told == ["misbehaved"]
        assert channel.link_key is None

    play(directory, scene, link_uid=os.geteuid() + 1)


def test_second_link_is_turned_away(directory: Path) -> None:
    async def scene(channel: LinkChannel, events: Events, link: Link) -> None:
        link.send(HELLO)
        await events.wait_for("came")
        second = Link(*await asyncio.open_unix_connection(str(directory / "s")))
        assert await second.is_closed()
        await second.close()
        link.send(SocketChanged(is_up=True))
        await events.wait_for(True)

    play(directory, scene)


def test_killed_link_fails_what_is_asked(directory: Path) -> None:
    async def scene(channel: LinkChannel, events: Events, link: Link) -> None:
        with pytest.raises(LinkError, match="link-down"):
            await channel.exchange("GET", "/x")
        link.send(HELLO)
        await events.wait_for("came")
        asked = asyncio.create_task(channel.exchange("GET", "/x"))
        await link.receive()
        link.writer.close()
        with pytest.raises(LinkError, match="link-down"):
            await asked

    play(directory, scene)


def test_failures_are_told(directory: Path) -> None:
    async def scene(channel: LinkChannel, events: Events, link: Link) -> None:
        link.send(HELLO)
        await events.wait_for("came")
        asked = asyncio.create_task(channel.exchange("GET", "/x"))
        request = await link.receive()
        assert isinstance(request, Exchange)
        link.send(Failed(id=request.id, code="portal-unreachable"))
        with pytest.raises(LinkError) as caught:
            await asked
        assert caught.value.code == "portal-unreachable"

    play(directory, scene)


def test_full_disk_fails_only_its_exchange(directory: Path) -> None:
    def sink(data: bytes) -> None:
        raise OSError(28, "no space")

    async def scene(channel: LinkChannel, events: Events, link: Link) -> None:
        link.send(HELLO)
        await events.wait_for("came")
        asked = asyncio.create_task(channel.exchange("GET", "/x", sink=sink))
        request = await link.receive()
        assert isinstance(request, Exchange)
        link.send(Answered(id=request.id, status=200, body=b"ab", is_last=False))
        with pytest.raises(OSError, match="no space"):
            await asked
        link.send(
            Part(id=request.id, data=b"late", is_last=True), Nudged(hint=Hint.STATE)
        )
        await events.wait_for(Hint.STATE)

    play(directory, scene)


def test_late_answer_is_no_offence(directory: Path) -> None:
    async def scene(channel: LinkChannel, events: Events, link: Link) -> None:
        link.send(HELLO)
        await events.wait_for("came")
        asked = asyncio.create_task(channel.exchange("GET", "/x"))
        request = await link.receive()
        assert isinstance(request, Exchange)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        link.send(Answered(id=request.id, status=200), Nudged(hint=Hint.JOBS))
        await events.wait_for(Hint.JOBS)

    play(directory, scene)


@pytest.mark.parametrize(
    "frames",
    [
        [Nudged(hint=Hint.JOBS)],
        [HELLO, HELLO],
        [HELLO, Answered(id=7, status=200)],
        [HELLO, Part(id=1, data=b"", is_last=True)],
        [HELLO, Answered(id=1, status=200, body=b"too long", is_last=False)],
        [
            HELLO,
            Answered(id=1, status=200, is_last=False),
            Answered(id=1, status=200, is_last=False),
        ],
    ],
)
def test_frames_out_of_place_end_the_connection(
    directory: Path, frames: list[FromLink]
) -> None:
    async def scene(channel: LinkChannel, events: Events, link: Link) -> None:
        if frames[0] == HELLO:
            link.send(HELLO)
            await events.wait_for("came")
            asked = asyncio.create_task(channel.exchange("GET", "/x", limit=3))
            await link.receive()
            link.send(*frames[1:])
            with pytest.raises(LinkError, match="link-down"):
                await asked
        else:
            link.send(*frames)
        await events.wait_for("misbehaved")
        assert await link.is_closed()

    play(directory, scene)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(min_size=1, max_size=300), has_hello=st.booleans())
def test_root_outlives_any_bytes(
    directory: Path, garbage: bytes, has_hello: bool
) -> None:
    """Nothing that link sends ends the server: the next link is served."""

    async def scene(channel: LinkChannel, events: Events, link: Link) -> None:
        if has_hello:
            link.send(HELLO)
        link.writer.write(garbage)
        link.writer.write_eof()
        assert await link.is_closed()
        events.told.clear()
        again = Link(*await asyncio.open_unix_connection(str(directory / "s")))
        again.send(HELLO)
        await events.wait_for("came")
        await again.close()

    play(directory, scene)
