"""Mains or battery."""

from client_agent.host.bus import Bus
from client_agent.host.errors import HostError
from client_agent.host.upower import UPower
from client_agent.protocol.types import Json

_STEP = 10
"""The charge is told in tens, so that it seldom changes."""


def power(bus: Bus) -> Json:
    """``code`` says why nothing is known, if nothing is.

    ``percentage`` is null without a battery.
    """
    try:
        found = UPower(bus).power()
    except HostError as absent:
        return {"code": absent.code}
    charge = found.percentage
    return {
        "code": "",
        "is_on_battery": found.is_on_battery,
        "percentage": None if charge is None else _coarse(charge),
    }


def _coarse(percentage: float) -> int:
    if not 0 <= percentage <= 100:  # NaN as well
        return 0
    return int(percentage) // _STEP * _STEP
