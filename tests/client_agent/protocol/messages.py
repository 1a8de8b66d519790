"""Hypothesis strategies for every message of the protocol, from its struct alone."""

from __future__ import annotations

import base64
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

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
    return _of(inspect.type_info(kind))


def messages(kind: type[msgspec.Struct]) -> Values:
    """Instances of `kind`."""
    return documents(kind).map(lambda document: msgspec.convert(document, kind))


def _of(info: Any) -> Values:
    return _STRATEGIES[type(info)](info)


def _struct(info: inspect.StructType) -> Values:
    required = {f.encode_name: _of(f.type) for f in info.fields if f.required}
    optional = {f.encode_name: _of(f.type) for f in info.fields if not f.required}
    if info.tag_field:
        required[info.tag_field] = st.just(info.tag)
    return st.fixed_dictionaries(required, optional=optional)


def _list(info: inspect.ListType) -> Values:
    return st.lists(_of(info.item_type), max_size=min(info.max_length or 3, 3))


def _string(info: inspect.StrType) -> Values:
    if info.pattern:
        return st.from_regex(info.pattern, fullmatch=True).map(str.strip)
    least, most = info.min_length or 0, info.max_length or 40
    unicode = st.characters(exclude_categories=["Cs"])
    return st.text(unicode, min_size=least, max_size=min(most, least + 40))


def _bytes(info: inspect.BytesType) -> Values:
    least, most = info.min_length or 0, info.max_length or 60
    raw = st.binary(min_size=least, max_size=min(most, least + 60))
    return raw.map(lambda each: base64.b64encode(each).decode())


def _integer(info: inspect.IntType) -> Values:
    return st.integers(
        -(2**63) if info.ge is None else info.ge,
        2**64 - 1 if info.le is None else info.le,
    )


_STRATEGIES: Mapping[type, Callable[[Any], Values]] = {
    inspect.StructType: _struct,
    inspect.UnionType: lambda info: st.one_of([_of(each) for each in info.types]),
    inspect.ListType: _list,
    inspect.DictType: lambda info: st.dictionaries(
        _of(info.key_type), _of(info.value_type), max_size=3
    ),
    inspect.EnumType: lambda info: st.sampled_from([each.value for each in info.cls]),
    inspect.StrType: _string,
    inspect.BytesType: _bytes,
    inspect.IntType: _integer,
    inspect.FloatType: lambda info: st.floats(allow_nan=False, allow_infinity=False),
    inspect.BoolType: lambda info: st.booleans(),
    inspect.NoneType: lambda info: st.none(),
    inspect.UUIDType: lambda info: st.uuids().map(str),
    inspect.DateTimeType: lambda info: st.datetimes(timezones=_zones).map(
        datetime.isoformat
    ),
    inspect.AnyType: lambda info: json_values,
}
