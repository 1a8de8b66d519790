"""What the two halves say to each other over their UNIX socket.

A frame is a 4-byte big-endian length and that many bytes of MessagePack. Bodies
travel as raw bytes, larger ones in parts, so that neither half holds a whole file.
"""

from collections.abc import Iterator
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from client_agent.protocol import limits
from client_agent.protocol.socket import Hint
from client_agent.protocol.types import Code, PublicKey, ShortText, Uid

LENGTH_BYTES = 4
PART_BYTES = 256 * 1024
"""Most of an answer's body that one frame carries."""

FRAME_BYTES = limits.BODY_BYTES + 64 * 1024
"""Most that a frame may hold: the largest request body and its surroundings."""

ExchangeId = Annotated[int, Meta(ge=1, le=2**53)]
Target = Annotated[str, Meta(max_length=2000, pattern="^/[!-~]*$")]
Header = Annotated[str, Meta(max_length=1000, pattern="^[ -~]*$")]


class FrameError(Exception):
    """A frame that the other half should never have sent."""


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """Root to link: whom to talk to, and as whom once the computer is enrolled."""

    portal: Annotated[str, Meta(max_length=300)]
    audience: Annotated[str, Meta(max_length=300)]
    computer: Uid | None = None
    ca_file: Annotated[str, Meta(max_length=1000)] | None = None
    proxy: Annotated[str, Meta(max_length=1000)] | None = None
    wants_socket: bool = False


class Exchange(msgspec.Struct, frozen=True, tag="exchange"):
    """Root to link: one request. It is signed if `is_signed`."""

    id: ExchangeId
    method: Annotated[str, Meta(max_length=10, pattern="^[A-Z]+$")]
    target: Target
    body: Annotated[bytes, Meta(max_length=limits.BODY_BYTES)] = b""
    headers: Annotated[dict[Header, Header], Meta(max_length=16)] = {}
    limit: Annotated[int, Meta(ge=0, le=limits.BLOB_BYTES)] = limits.BODY_BYTES
    timeout_seconds: Annotated[int, Meta(ge=1, le=3600)] = 60
    is_signed: bool = True


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Link to root, first on each connection: its public key."""

    link_key: PublicKey


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """Link to root: the portal's answer; `Part`s follow unless `is_last`."""

    id: ExchangeId
    status: Annotated[int, Meta(ge=200, le=599)]
    headers: Annotated[dict[Header, Header], Meta(max_length=16)] = {}
    body: Annotated[bytes, Meta(max_length=PART_BYTES)] = b""
    is_last: bool = True
    clock_offset_seconds: Annotated[int, Meta(ge=-(2**40), le=2**40)] = 0


class Part(msgspec.Struct, frozen=True, tag="part"):
    """Link to root: more of an answer's body."""

    id: ExchangeId
    data: Annotated[bytes, Meta(max_length=PART_BYTES)]
    is_last: bool


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Link to root: there was no (whole) answer, and why."""

    id: ExchangeId
    code: Code
    detail: ShortText = ""


class Nudged(msgspec.Struct, frozen=True, tag="nudged"):
    """Link to root: the portal hinted."""

    hint: Hint


class SocketChanged(msgspec.Struct, frozen=True, tag="socket"):
    """Link to root: the WebSocket came up or went down."""

    is_up: bool


FromRoot = Configure | Exchange
FromLink = Hello | Answered | Part | Failed | Nudged | SocketChanged
T = TypeVar("T")


def encode(frame: FromRoot | FromLink) -> bytes:
    """`frame` with its length before it."""
    payload = msgspec.msgpack.encode(frame)
    if len(payload) > FRAME_BYTES:
        raise FrameError(f"own frame has {len(payload)} bytes")
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


def length_of(prefix: bytes) -> int:
    """Length of the frame after `prefix`.

    Raises:
        FrameError: it is more than `FRAME_BYTES`, or nothing.
    """
    length = int.from_bytes(prefix, "big")
    if not 0 < length <= FRAME_BYTES:
        raise FrameError(f"frame of {length} bytes")
    return length


def decode(kind: type[T], payload: bytes) -> T:
    """One frame without its length, as one of the structs of `kind`.

    Raises:
        FrameError: whatever is wrong with it.
    """
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(str(error)[:300]) from error


class FrameReader:
    """Cuts a stream of bytes into frames, however it arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are whole now, without their lengths.

        Raises:
            FrameError: a length that no frame may have.
        """
        self._buffer += data
        while len(self._buffer) >= LENGTH_BYTES:
            end = LENGTH_BYTES + length_of(bytes(self._buffer[:LENGTH_BYTES]))
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[LENGTH_BYTES:end])
            del self._buffer[:end]
            yield payload
