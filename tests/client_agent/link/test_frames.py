"""Frames between the halves: whatever arrives, a frame or `FrameError`."""

from itertools import pairwise
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent import link_frames
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
    Nudged,
    Part,
    SocketChanged,
)
from client_agent.protocol.socket import Hint

FROM_LINK: Any = FromLink
FROM_ROOT: Any = FromRoot

FRAMES: list[Any] = [
    Hello(link_key=b"k" * 32),
    Answered(id=1, status=200, headers={"etag": '"a"'}, body=b"\0\xff", is_last=False),
    Part(id=1, data=b"x" * 1000, is_last=True),
    Failed(id=2, code="portal-unreachable", detail="no route"),
    Nudged(hint=Hint.JOBS),
    SocketChanged(is_up=True),
    Configure(portal="https://p", audience="https://p", computer=uuid4()),
    Exchange(id=3, method="GET", target="/agent/v1/state?x=1", body=b"{}"),
]


@given(st.data())
def test_frames_survive_any_cutting(data: st.DataObject) -> None:
    stream = b"".join(link_frames.encode(frame) for frame in FRAMES)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10))
    edges = [0, *sorted(cuts), len(stream)]
    reader = FrameReader()
    payloads: list[bytes] = []
    for start, end in pairwise(edges):
        payloads += reader.feed(stream[start:end])
    both = FROM_LINK | FROM_ROOT
    assert [link_frames.decode(both, p) for p in payloads] == FRAMES


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_an_error(payload: bytes) -> None:
    for kind in (FROM_LINK, FROM_ROOT):
        try:
            link_frames.decode(kind, payload)
        except FrameError:
            continue


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.binary()
    | st.text()
    | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    st.sampled_from(["hello", "answered", "part", "failed", "nudged", "socket", "x"]),
    st.dictionaries(
        st.sampled_from(
            ["link_key", "id", "status", "headers", "body", "data", "code", "hint"]
        ),
        _json,
    ),
)
def test_wrong_types_are_an_error(tag: str, fields: dict[str, object]) -> None:
    payload = msgspec.msgpack.encode({"type": tag, **fields})
    try:
        frame = link_frames.decode(FROM_LINK, payload)
    except FrameError:
        return
    assert isinstance(frame, FromLink)


@given(st.binary(min_size=4, max_size=4))
def test_lengths_are_bounded(prefix: bytes) -> None:
    try:
        length = link_frames.length_of(prefix)
    except FrameError:
        return
    assert 0 < length <= link_frames.FRAME_BYTES


def test_reader_does_not_wait_for_what_is_too_long() -> None:
    with pytest.raises(FrameError):
        list(FrameReader().feed(b"\xff\xff\xff\xff"))


@pytest.mark.parametrize(
    "frame",
    [
        Exchange(id=0, method="GET", target="/x"),
        Exchange(id=1, method="get", target="/x"),
        Exchange(id=1, method="GET", target="http://elsewhere/"),
        Exchange(id=1, method="GET", target="/a b"),
        Exchange(id=1, method="GET", target="/a\r\nHost: b"),
        Exchange(id=1, method="GET", target="/", headers={"A": "b\r\nC: d"}),
    ],
)
def test_link_refuses_requests_that_could_say_more(frame: Exchange) -> None:
    with pytest.raises(FrameError):
        link_frames.decode(FROM_ROOT, msgspec.msgpack.encode(frame))
