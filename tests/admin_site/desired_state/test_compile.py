"""From intent to document: pure, and the same for the same intent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from admin_site.core.clock import unix_ms
from admin_site.desired_state.compile import (
    IDLE_FACTOR,
    Intent,
    content_digest,
    document_of,
    next_revision,
)
from client_agent.protocol import codec
from client_agent.protocol.state import DesiredState

moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
wanted = st.dictionaries(st.from_regex(r"\A[a-z]{1,8}\Z"), values, max_size=4)
intents = st.builds(
    Intent, computer=st.uuids(), settings=wanted, poll_seconds=st.integers(1, 3600)
)


@given(st.lists(moments, min_size=1, max_size=8), st.integers(0, 2**50))
def test_revisions_grow_whatever_the_clock_does(
    clock: list[datetime], first: int
) -> None:
    revisions = [first]
    for now in clock:
        revisions.append(next_revision(revisions[-1], now=now))
    assert revisions == sorted(set(revisions))


@given(moments, st.integers(0, 2**50))
def test_a_restored_database_goes_on_above_what_computers_have_seen(
    now: datetime, lost: int
) -> None:
    before_the_loss = next_revision(lost, now=now)
    restored = next_revision(0, now=now + timedelta(seconds=1))
    assert restored > before_the_loss or before_the_loss == lost + 1
    assert restored == unix_ms(now + timedelta(seconds=1))


@given(intents, st.randoms(use_true_random=False))
def test_the_digest_is_of_the_content_not_of_its_order(
    intent: Intent, random: Any
) -> None:
    items = list(intent.settings.items())
    random.shuffle(items)
    same = Intent(intent.computer, dict(items), intent.poll_seconds)
    assert content_digest(same) == content_digest(intent)


@given(intents, intents)
def test_other_content_has_another_digest(one: Intent, other: Intent) -> None:
    assume(codec.encode(dict(one.settings)) != codec.encode(dict(other.settings)))
    for intent in (
        Intent(one.computer, other.settings, one.poll_seconds),
        Intent(UUID(int=one.computer.int ^ 1), one.settings, one.poll_seconds),
        Intent(one.computer, one.settings, one.poll_seconds + 1),
    ):
        assert content_digest(intent) != content_digest(one)


@given(intents, moments, st.integers(0, 2**53))
def test_a_document_says_what_was_wanted(
    intent: Intent, now: datetime, revision: int
) -> None:
    document = document_of(intent, revision=revision, now=now)
    assert codec.decode(DesiredState, codec.encode(document)) == document
    assert document.settings == intent.settings
    assert document.computer == intent.computer
    assert (document.revision, document.compiled_at) == (revision, now)
    assert document.idle_poll_seconds == IDLE_FACTOR * intent.poll_seconds


@given(intents)
def test_the_clock_is_no_content(intent: Intent) -> None:
    copy = Intent(intent.computer, dict(intent.settings), intent.poll_seconds)
    assert content_digest(copy) == content_digest(intent)
    assert len(content_digest(intent)) == 64
