"""Bytes to messages and back; whatever arrives, only `ProtocolError` comes out."""

from typing import Any, TypeVar

import msgspec

from client_agent.protocol import limits
from client_agent.protocol.errors import ErrorCode, ProtocolError

T = TypeVar("T")

_encoder = msgspec.json.Encoder(order="deterministic")


def encode(message: object) -> bytes:
    """Return `message` as JSON, the same bytes for the same value."""
    return _encoder.encode(message)


def decode(kind: type[T], body: bytes, *, limit: int = limits.BODY_BYTES) -> T:
    """Return `body` as a checked `kind`.

    Raises:
        ProtocolError: ``body-too-large`` above `limit` bytes; ``body-invalid`` for
            anything that is not JSON of that shape, with the path in its detail.
    """
    if len(body) > limit:
        raise ProtocolError(ErrorCode.BODY_TOO_LARGE, f"more than {limit} bytes")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(ErrorCode.BODY_INVALID, str(error)[:400]) from error


def convert(kind: type[T], value: Any) -> T:
    """Return a decoded JSON value as a checked `kind`; errors as in `decode`."""
    try:
        return msgspec.convert(value, type=kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ProtocolError(ErrorCode.BODY_INVALID, str(error)[:400]) from error
