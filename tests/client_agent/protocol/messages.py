"""Hypothesis strategies for every message of the protocol, from its struct alone."""

from __future__ import annotations

import base64
import importlib
import pkgutil
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from hypothesis import strategies as st

from client_agent import protocol

Values = st.SearchStrategy[Any]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values: Values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=6,
)
"""Whatever JSON can say."""

_zones = st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)


def _all_structs() -> tuple[type[msgspec.Struct], ...]:
    found: set[type[msgspec.Struct]] = set()
    for module in pkgutil.iter_modules(protocol.__path__):
        loaded = importlib.import_module(f"{protocol.__name__}.{module.name}")
        found |= {
            each
            for each in vars(loaded).values()
            if isinstance(each, type) and issubclass(each, msgspec.Struct)
        }
    return tuple(sorted(found - {msgspec.Struct}, key=lambda each: each.__name__))


STRUCTS = _all_structs()
"""Every struct that the package defines, so that none is forgotten."""


def documents(kind: type[msgspec.Struct]) -> Values:
    """JSON values that are valid as `kind`."""
    return _of(msgspec.inspect.type_info(kind))


def messages(kind: type[msgspec.Struct]) -> Values:
    """Instances of `kind`."""
    return documents(kind).map(lambda document: msgspec.convert(document, kind))


def _of(info: msgspec.inspect.Type) -> Values:
    match info:
        case msgspec.inspect.StructType():
            return _struct(info)
        case msgspec.inspect.UnionType():
            return st.one_of([_of(each) for each in info.types])
        case msgspec.inspect.ListType() | msgspec.inspect.CollectionType():
            most = min(info.max_length or 3, 3)
            return st.lists(_of(info.item_type), max_size=most)
        case msgspec.inspect.DictType():
            return st.dictionaries(
                _of(info.key_type), _of(info.value_type), max_size=3
            )
        case msgspec.inspect.EnumType():
            return st.sampled_from([each.value for each in info.cls])
        case msgspec.inspect.Metadata():
            return _of(info.type)
        case _:
            return _scalar(info)


def _scalar(info: msgspec.inspect.Type) -> Values:
    match info:
        case msgspec.inspect.StrType(pattern=str(pattern)):
            return st.from_regex(pattern, fullmatch=True).map(str.strip)
        case msgspec.inspect.StrType():
            least, most = info.min_length or 0, info.max_length or 40
            return st.text(
                st.characters(exclude_categories=["Cs"]),
                min_size=least,
                max_size=min(most, least + 40),
            )
        case msgspec.inspect.BytesType():
            least, most = info.min_length or 0, info.max_length or 60
            raw = st.binary(min_size=least, max_size=min(most, least + 60))
            return raw.map(lambda each: base64.b64encode(each).decode())
        case msgspec.inspect.IntType():
            return st.integers(
                -(2**63) if info.ge is None else info.ge,
                2**64 - 1 if info.le is None else info.le,
            )
        case msgspec.inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.UUIDType():
            return st.uuids().map(str)
        case msgspec.inspect.DateTimeType():
            return st.datetimes(timezones=_zones).map(datetime.isoformat)
        case msgspec.inspect.AnyType():
            return json_values
        case _:
            raise NotImplementedError(info)


def _struct(info: msgspec.inspect.StructType) -> Values:
    required = {f.encode_name: _of(f.type) for f in info.fields if f.required}
    optional = {f.encode_name: _of(f.type) for f in info.fields if not f.required}
    if info.tag_field:
        required[info.tag_field] = st.just(info.tag)
    return st.fixed_dictionaries(required, optional=optional)
