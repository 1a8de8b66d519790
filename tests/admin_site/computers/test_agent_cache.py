"""What the fast path believes, against the real cache server."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.exceptions import RedisError

from admin_site.computers import agent_cache
from admin_site.computers.agent_cache import AgentEntry

ORGANISATION = UUID(int=1)
NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("cache_server")


def _entry(version: int) -> AgentEntry:
    return AgentEntry(version, ORGANISATION, "active", b"k" * 32, f"etag-{version}", "")


def _held(uid: UUID) -> AgentEntry | None:
    raw: Any = agent_cache.client().hget(agent_cache.key_of(uid), "e")
    return agent_cache.decode_entry(raw)


steps = st.lists(
    st.tuples(st.sampled_from(["remember", "forget"]), st.integers(1, 6)), max_size=14
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_whatever_the_order_nothing_older_than_an_invalidation_is_believed(
    order: list[tuple[str, int]],
) -> None:
    uid = uuid4()
    forgotten = newest = 0
    for what, version in order:
        if what == "remember":
            agent_cache.remember(uid, _entry(version))
            newest = max(newest, version)
        else:
            agent_cache.forget({uid: version})
            forgotten = max(forgotten, version)
        held = _held(uid)
        if held is not None:
            assert held.auth_version >= forgotten
            assert held == _entry(newest)
    latest = max(forgotten, newest, 1)
    agent_cache.remember(uid, _entry(latest))
    assert _held(uid) == _entry(latest)


def test_a_slow_reader_of_the_old_row_cannot_undo_an_invalidation() -> None:
    uid = uuid4()
    old = _entry(1)
    agent_cache.forget({uid: 2})
    agent_cache.remember(uid, old)
    assert _held(uid) is None
    agent_cache.remember(uid, _entry(2))
    assert _held(uid) == _entry(2)
    agent_cache.remember(uid, old)
    assert _held(uid) == _entry(2)
    agent_cache.forget({uid: 2})
    assert _held(uid) == _entry(2)
    agent_cache.forget({uid: 3})
    assert _held(uid) is None


def test_many_are_forgotten_at_once_each_by_its_version() -> None:
    uids = [uuid4() for _each in range(3)]
    for uid in uids:
        agent_cache.remember(uid, _entry(5))
    agent_cache.forget({uids[0]: 6, uids[1]: 5})
    assert [_held(uid) for uid in uids] == [None, _entry(5), _entry(5)]
    agent_cache.forget({})


def test_versions_are_compared_as_numbers() -> None:
    uid = uuid4()
    agent_cache.remember(uid, _entry(10))
    agent_cache.remember(uid, _entry(9))
    assert _held(uid) == _entry(10)
    agent_cache.forget({uid: 100})
    agent_cache.remember(uid, _entry(99))
    assert _held(uid) is None


def test_entries_and_marks_live_an_hour_at_most() -> None:
    remembered, forgotten = uuid4(), uuid4()
    agent_cache.remember(remembered, _entry(1))
    agent_cache.forget({forgotten: 1})
    for uid in (remembered, forgotten):
        left: Any = agent_cache.client().ttl(agent_cache.key_of(uid))
        assert 0 < left <= agent_cache.ENTRY_SECONDS == 3600


@given(st.binary(max_size=60) | st.none() | st.just(b""))
def test_rubbish_in_the_cache_is_no_entry(raw: bytes | None) -> None:
    assert agent_cache.decode_entry(raw) is None or raw


def test_an_entry_of_another_release_is_no_entry() -> None:
    longer = msgspec.msgpack.encode([1, ORGANISATION.bytes])
    assert agent_cache.decode_entry(longer) is None
    whole = msgspec.msgpack.encode(_entry(3))
    assert agent_cache.decode_entry(whole) == _entry(3)
    assert agent_cache.decode_entry(whole[:-1]) is None
    assert agent_cache.decode_entry(whole.replace(b"active", b"\xff" * 6)) is None


# --- presence -----------------------------------------------------------------------


def test_who_was_seen_is_told_with_the_last_time() -> None:
    seen, unseen = uuid4(), uuid4()
    agent_cache.mark_seen(seen, now=NOW - timedelta(minutes=3))
    agent_cache.mark_seen(seen, now=NOW)
    assert agent_cache.seen_at([seen, unseen]) == {seen: NOW.timestamp()}
    assert agent_cache.seen_at([]) == {}
    since = int(NOW.timestamp())
    assert agent_cache.seen_since(since) == [(str(seen).encode(), NOW.timestamp())]
    assert agent_cache.seen_since(since + 1) == []


# --- without Valkey -----------------------------------------------------------------


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of a server that is not there."""
    client = redis.Redis(unix_socket_path=str(tmp_path / "gone.sock"))
    monkeypatch.setattr(agent_cache, "client", lambda: client)


@pytest.mark.usefixtures("no_cache")
def test_an_invalidation_that_fails_is_told() -> None:
    with pytest.raises(RedisError):
        agent_cache.forget({uuid4(): 1})
    with pytest.raises(RedisError):
        agent_cache.seen_since(0)


@pytest.mark.usefixtures("no_cache")
def test_what_only_saves_time_is_given_up_quietly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    uid = uuid4()
    with caplog.at_level(logging.WARNING):
        agent_cache.remember(uid, _entry(1))
        agent_cache.mark_seen(uid, now=NOW)
        assert agent_cache.seen_at([uid]) == {}
    assert caplog.text.count("cache-unreachable") == 3
