"""A wrong clock: Python loads this when its directory is on PYTHONPATH."""

import os
import time

_real_time = time.time
_offset = float(os.environ.get("WRONG_CLOCK_SECONDS", "0"))


def _wrong_time() -> float:
    return _real_time() + _offset


time.time = _wrong_time
