"""What the fast path knows of a computer, kept in Valkey.

``agent:{uid}`` holds an `AgentEntry` or, after a change, only the version below which
nothing may be written any more. Writing is compare-and-set on `auth_version`, so that a
slow reader of the old row cannot undo an invalidation. Entries live an hour at most.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
import redis
import structlog
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

ENTRY_SECONDS = 3600
SEEN_KEY = "seen"
"""Sorted set: computer id by the Unix seconds at which it was last seen."""

_STORE = """
local old = redis.call('HGET', KEYS[1], 'v')
if old and tonumber(old) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'e', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
_FORGET = """
local old = redis.call('HGET', KEYS[1], 'v')
if old and tonumber(old) >= tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""


class AgentEntry(msgspec.Struct, frozen=True, array_like=True):
    """`etag` is empty while no state has been compiled.

    `work` names what waits (`WORK_HEADER`); the fast path leaves that to the view.
    """

    auth_version: int
    organisation: UUID
    status: str
    link_key: bytes
    etag: str
    work: str


def key_of(uid: UUID) -> str:
    """Name of the entry in Valkey."""
    return f"agent:{uid}"


@cache
def client() -> redis.Redis:
    """This process's connection pool for synchronous code."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2
    )


def remember(uid: UUID, entry: AgentEntry) -> None:
    """Store what was just read from the database, unless something newer is known."""
    try:
        client().eval(
            _STORE,
            1,
            key_of(uid),
            entry.auth_version,
            msgspec.msgpack.encode(entry),
            ENTRY_SECONDS,
        )
    except RedisError as error:
        log.warning("cache-unreachable", reason=type(error).__name__)


def mark_seen(uid: UUID, *, now: datetime) -> None:
    """Note that the computer was here; `flush_presence` writes it to the database."""
    try:
        client().zadd(SEEN_KEY, {str(uid): now.timestamp()})
    except RedisError as error:
        log.warning("cache-unreachable", reason=type(error).__name__)


def forget_after_commit(versions: Mapping[UUID, int]) -> None:
    """Invalidate once the transaction that set these `auth_version`s has committed.

    Defer `computers.forget_again` in the same transaction: it repeats this, because
    a process may die between commit and here.
    """
    transaction.on_commit(lambda: _forget_quietly(versions), robust=True)


def forget(versions: Mapping[UUID, int]) -> None:
    """Invalidate what is older than each computer's `auth_version`.

    Raises:
        RedisError: Valkey did not answer.
    """
    with client().pipeline(transaction=False) as pipeline:
        for uid, version in versions.items():
            pipeline.eval(_FORGET, 1, key_of(uid), version, ENTRY_SECONDS)
        pipeline.execute()


def _forget_quietly(versions: Mapping[UUID, int]) -> None:
    try:
        forget(versions)
    except RedisError as error:
        log.warning("cache-unreachable", reason=type(error).__name__)


def decode_entry(raw: Any) -> AgentEntry | None:
    """The entry in a hash field, or nothing for an absent or foreign value."""
    if not raw:
        return None
    try:
        return msgspec.msgpack.decode(raw, type=AgentEntry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def seen_since(unix_seconds: int) -> list[tuple[bytes, float]]:
    """Computer ids with the Unix seconds at which they were last seen.

    Raises:
        RedisError: Valkey did not answer.
    """
    found: Any = client().zrangebyscore(SEEN_KEY, unix_seconds, "+inf", withscores=True)
    return list(found)


def seen_at(uids: list[UUID]) -> dict[UUID, float]:
    """Unix seconds at which each was last seen; without Valkey nobody was."""
    if not uids:
        return {}
    try:
        scores: Any = client().zmscore(SEEN_KEY, [str(uid) for uid in uids])
    except RedisError as error:
        log.warning("cache-unreachable", reason=type(error).__name__)
        return {}
    return {
        uid: score for uid, score in zip(uids, scores, strict=True) if score is not None
    }
