"""How often something may be tried: counted in Valkey, for all processes together.

Each limit is a sliding window over the last tries of one subject (an address, an
account), so that no fifteen minutes have more than the limit says. Without Valkey
nothing is let through uncounted: every function here raises `RedisError`.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

import redis
from django.conf import settings
from django.utils.crypto import salted_hmac

from admin_site.core import clock
from admin_site.core.windows import Limit, longest, seconds_until_free

# For each key, in turn: its limit and its window in milliseconds. Answers for each the
# time of the entry that has to leave before there is room, or "". Only if all have room
# is the try written, into all of them.
_TAKE = """
local now, id, is_counted = tonumber(ARGV[1]), ARGV[2], ARGV[3] == '1'
local answer, is_free = {}, true
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[2 + 2 * i]), tonumber(ARGV[3 + 2 * i])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  local over = redis.call('ZCARD', key) - most
  answer[i] = ''
  if over >= 0 then
    is_free = false
    answer[i] = redis.call('ZRANGE', key, over, over, 'WITHSCORES')[2]
  end
end
if is_free and is_counted then
  for i, key in ipairs(KEYS) do
    redis.call('ZADD', key, now, id)
    redis.call('PEXPIRE', key, ARGV[3 + 2 * i])
  end
end
return answer
"""


class LimitReached(Exception):
    """Too often; in `seconds` there is room for another try."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Window:
    """One limit for one subject."""

    limit: Limit
    subject: str

    @property
    def key(self) -> str:
        """Name in Valkey: tells neither address nor account without the secret key."""
        return f"limit:{self.limit.name}:{fingerprint(self.subject)}"


@dataclass(frozen=True)
class Try:
    """A try that was counted."""

    windows: tuple[Window, ...]
    id: str

    def give_back(self) -> None:
        """Count it no longer, because it was none of those that the limit is for."""
        with client().pipeline(transaction=False) as pipeline:
            for window in self.windows:
                pipeline.zrem(window.key, self.id)
            pipeline.execute()


def take(*windows: Window) -> Try:
    """Count one try in all `windows`, or in none if one of them is full.

    It is counted before it is made, so that tries at the same time cannot pass
    together; who succeeds gives it back.

    Raises:
        LimitReached: a window is full.
        RedisError: Valkey did not answer.
    """
    counted = Try(windows, uuid4().hex)
    _ask(windows, counted.id, is_counted=True)
    return counted


def check(*windows: Window) -> None:
    """Do nothing unless one of `windows` is full; errors as in `take`."""
    _ask(windows, "", is_counted=False)


def reset(window: Window) -> None:
    """Forget all tries of `window`."""
    client().delete(window.key)


def fingerprint(subject: str) -> str:
    """`subject` in a form that names it in Valkey without telling it."""
    return salted_hmac("citizenpc.limits", subject, algorithm="sha256").hexdigest()[:32]


@cache
def client() -> redis.Redis:
    """This process's connection pool."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2
    )


def _ask(windows: tuple[Window, ...], id_: str, *, is_counted: bool) -> None:
    now_ms = clock.unix_ms(clock.now())
    arguments: list[Any] = [now_ms, id_, int(is_counted)]
    for window in windows:
        arguments += [window.limit.most, window.limit.seconds * 1000]
    keys = [window.key for window in windows]
    answer: Any = client().eval(_TAKE, len(keys), *keys, *arguments)
    waits = [
        seconds_until_free(
            window.limit, leaves_at=float(score) / 1000, now=now_ms / 1000
        )
        for window, score in zip(windows, answer, strict=True)
        if score
    ]
    if waits:
        raise LimitReached(longest(waits))
