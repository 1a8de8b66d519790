"""Waiting after failures, so that ten thousand computers do not come back at once."""

import random
from collections.abc import Callable


class Backoff:
    """Exponential back-off with full jitter: a wait anywhere in ``0..bound``.

    The bound doubles with each failure from `first_seconds` up to `most_seconds`,
    the five minutes over which a fleet returns after an outage.
    """

    def __init__(
        self,
        *,
        first_seconds: float = 1.0,
        most_seconds: float = 300.0,
        pick: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._first = first_seconds
        self._most = most_seconds
        self._pick = pick
        self._failures = 0

    def after_failure(self, *, at_least: float = 0.0) -> float:
        """Seconds to wait now; `at_least` is what the portal asked for."""
        bound = min(self._most, self._first * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return max(at_least, self._pick(0.0, bound))

    def succeeded(self) -> None:
        self._failures = 0


def jittered(seconds: float) -> float:
    """`seconds`, a fifth more or less, so that polls spread."""
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
