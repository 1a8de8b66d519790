"""Whatever arrives, a message comes out or an error with a code."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client_agent.protocol import codec, limits
from client_agent.protocol.errors import ErrorCode, ProtocolError
from tests.client_agent.protocol.messages import (
    STRUCTS,
    documents,
    json_values,
)

every_struct = pytest.mark.parametrize(
    "kind", STRUCTS, ids=lambda kind: str(kind.__name__)
)
Kind = type[msgspec.Struct]


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _decodes_or_refuses(decode: Callable[[], object], kind: Kind) -> None:
    with suppress(ProtocolError):
        assert isinstance(decode(), kind)
        return
    with pytest.raises(ProtocolError) as caught:
        decode()
    assert caught.value.code is ErrorCode.BODY_INVALID
    assert len(caught.value.detail) <= 400


@every_struct
def test_a_valid_message_survives_the_wire_as_the_same_bytes(kind: Kind) -> None:
    @settings(max_examples=30)
    @given(documents(kind), st.randoms(use_true_random=False))
    def check(document: Any, random: Any) -> None:
        message = codec.decode(kind, _json(document))
        encoded = codec.encode(message)
        again = codec.decode(kind, encoded)
        assert again == message
        assert codec.encode(again) == encoded
        same = codec.decode(kind, _json(_shuffled(document, random)))
        assert codec.encode(same) == encoded
        with pytest.raises(AttributeError):
            setattr(message, kind.__struct_fields__[0], None)

    check()


def _shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {key: _shuffled(inner, random) for key, inner in items}
    if isinstance(value, list):
        return [_shuffled(inner, random) for inner in value]
    return value


@every_struct
def test_a_damaged_message_is_refused_or_understood(kind: Kind) -> None:
    @settings(max_examples=30)
    @given(documents(kind), json_values, st.data())
    def check(document: Any, foreign: Any, data: st.DataObject) -> None:
        body = _json(document)
        place = data.draw(st.integers(0, len(body) - 1))
        _is_refused(kind, body[:place])
        for encoding in ("utf-16", "utf-32", "utf-8-sig"):
            _is_refused(kind, body.decode().encode(encoding))
        changed = bytearray(body)
        changed[place] = data.draw(st.integers(0, 255))
        _decodes_or_refuses(lambda: codec.decode(kind, bytes(changed)), kind)
        if document:
            document[data.draw(st.sampled_from(sorted(document)))] = foreign
        _decodes_or_refuses(lambda: codec.decode(kind, _json(document)), kind)
        _decodes_or_refuses(lambda: codec.convert(kind, document), kind)

    check()


@every_struct
def test_any_bytes_are_refused_with_a_code(kind: Kind) -> None:
    @settings(max_examples=30)
    @given(st.binary(max_size=200) | json_values.map(_json))
    def check(body: bytes) -> None:
        _decodes_or_refuses(lambda: codec.decode(kind, body), kind)

    check()


def _is_refused(kind: Kind, body: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        codec.decode(kind, body)
    assert caught.value.code is ErrorCode.BODY_INVALID


@every_struct
def test_an_oversized_message_is_not_even_read(kind: Kind) -> None:
    body = b"[" * (limits.BODY_BYTES + 1)
    with pytest.raises(ProtocolError) as caught:
        codec.decode(kind, body)
    assert caught.value.code is ErrorCode.BODY_TOO_LARGE


@every_struct
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"",
        b"\xff\xfe",
        b"NaN",
        b'{"arguments":{"a":' + b"1" * 5000 + b"}}",
        b'{"facts":"\\ud800"}',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_known_traps_are_refused(kind: Kind, body: bytes) -> None:
    _is_refused(kind, body)


def test_a_narrower_limit_counts_to_the_byte() -> None:
    assert codec.decode(dict, b"{}", limit=2) == {}
    with pytest.raises(ProtocolError, match="more than 1 bytes") as caught:
        codec.decode(dict, b"{}", limit=1)
    assert caught.value.code is ErrorCode.BODY_TOO_LARGE
