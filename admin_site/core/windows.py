"""Sliding windows, without Django and without I/O."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """At most `most` of what `name` says in any `seconds`."""

    name: str
    most: int
    seconds: int


def seconds_until_free(limit: Limit, *, leaves_at: float, now: float) -> int:
    """Whole seconds until a full window has room again, at least one.

    `leaves_at` is when the entry that has to leave was counted. A clock that was put
    back makes nobody wait longer than the window.
    """
    wait = math.ceil(leaves_at + limit.seconds - now)
    return min(max(wait, 1), limit.seconds)


def longest(waits: Iterable[int]) -> int:
    """What to wait for when several windows are full; 0 if none is."""
    return max(waits, default=0)
