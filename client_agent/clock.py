"""Time on a computer whose clock may be wrong."""

import time
from datetime import datetime, timezone
from pathlib import Path


def build_time() -> datetime:
    """When this program was built: it cannot be earlier than that now."""
    return _from_unix(Path(__file__).stat().st_mtime)


def boot_seconds() -> float:
    """Seconds since boot, time asleep included; for every timer."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """The wall clock, never earlier than the newest time known to be past."""

    def __init__(self, floor: datetime) -> None:
        self._floor = floor
        self._started_difference = self._difference()

    def raise_floor(self, moment: datetime) -> None:
        """`moment`, from a verified document, has passed."""
        self._floor = max(self._floor, moment)

    def now(self) -> datetime:
        return max(self._floor, _from_unix(time.time()))

    def jumped(self, *, more_than_seconds: float = 30.0) -> bool:
        """Whether the wall clock was set since the last time this said so."""
        difference = self._difference()
        has_jumped = abs(difference - self._started_difference) > more_than_seconds
        if has_jumped:
            self._started_difference = difference
        return has_jumped

    @staticmethod
    def _difference() -> float:
        return time.time() - boot_seconds()


def boot_id() -> str:
    """Changes with each start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def _from_unix(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
