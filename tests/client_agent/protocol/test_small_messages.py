"""Enrolment tokens, facts, moments, and that codes are codes."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent.protocol import keys
from client_agent.protocol.enrolment import parse_token
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.facts import FactsRequest, facts_after, facts_digest
from client_agent.protocol.types import utc
from tests.client_agent.protocol.messages import json_values

FINGERPRINT = keys.fingerprint(bytes(32))
SECRET = "abcdefghijkmnpqrstuvwxyz"

slugs = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,5}\Z")
facts = st.dictionaries(slugs, json_values, max_size=4)


# --- the token that staff carry -----------------------------------------------------


@given(st.text(" \t\r\n", max_size=3), st.text(" \t\r\n", max_size=3))
def test_a_token_is_read_as_it_was_pasted(before: str, after: str) -> None:
    token = parse_token(f"{before}{SECRET}.{FINGERPRINT}{after}")
    assert (token.secret, token.fingerprint) == (SECRET, FINGERPRINT)
    assert str(token) == f"{SECRET}.{FINGERPRINT}"
    assert parse_token(str(token)) == token


@given(st.text())
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_token(text)
    assert caught.value.code is ErrorCode.ENROLMENT_TOKEN_UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"{SECRET}.",
        f".{FINGERPRINT}",
        f"short.{FINGERPRINT}",
        f"{'x' * 101}.{FINGERPRINT}",
        f"{SECRET}.{FINGERPRINT}x",
        f"{SECRET}.{FINGERPRINT[:-1]}",
        f"{SECRET} .{FINGERPRINT}",
        f"{SECRET}.{FINGERPRINT}.{FINGERPRINT}",
        f"{SECRET}.{'ø' * 43}",
    ],
)
def test_almost_a_token_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_token(text)


# --- facts --------------------------------------------------------------------------


@given(facts, facts)
def test_changed_facts_are_merged_and_null_removes(
    known: dict[str, Any], changed: dict[str, Any]
) -> None:
    copy = dict(known)
    after = facts_after(known, FactsRequest(changed=changed, digest="0" * 64))
    assert known == copy
    assert None not in after.values()
    for key, value in changed.items():
        assert after.get(key) == value
    for key in known.keys() - changed.keys():
        assert after.get(key) == known[key]


@given(facts, facts)
def test_everything_anew_forgets_what_was_known(
    known: dict[str, Any], changed: dict[str, Any]
) -> None:
    request = FactsRequest(changed=changed, digest="0" * 64, replaces=True)
    assert facts_after(known, request) == facts_after({}, request)


@given(facts, st.randoms(use_true_random=False))
def test_the_digest_is_of_the_content_not_of_its_order(
    known: dict[str, Any], random: Any
) -> None:
    items = list(known.items())
    random.shuffle(items)
    assert facts_digest(dict(items)) == facts_digest(known)
    assert re.fullmatch("[0-9a-f]{64}", facts_digest(known))


@given(facts, slugs, json_values, json_values)
def test_other_facts_have_another_digest(
    known: dict[str, Any], key: str, one: Any, other: Any
) -> None:
    first, second = ({**known, key: value} for value in (one, other))
    assert (facts_digest(first) == facts_digest(second)) == _is_same(one, other)


def _is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1, 1.0 and true are three things."""
    return repr(_sorted(one)) == repr(_sorted(other))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, _sorted(value[key])) for key in sorted(value)], "object"
    return [_sorted(each) for each in value] if isinstance(value, list) else value


# --- the rest -----------------------------------------------------------------------


@given(st.integers(-14 * 60, 14 * 60))
def test_moments_are_told_in_utc(minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    moment = datetime(2026, 6, 1, 12, tzinfo=zone)
    assert utc(moment) == moment
    assert utc(moment).utcoffset() == timedelta(0)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        utc(datetime(2026, 6, 1, 12))  # noqa: DTZ001


def test_every_code_is_fit_for_the_wire() -> None:
    for code in ErrorCode:
        assert re.fullmatch("[a-z0-9][a-z0-9-]{0,62}", code.value)
    error = ProtocolError(ErrorCode.NOT_FOUND, "what")
    assert str(error) == "not-found: what"
    assert str(ProtocolError(ErrorCode.NOT_FOUND)) == "not-found"
