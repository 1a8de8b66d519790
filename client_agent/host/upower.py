"""Mains or battery, as UPower sees them.

Its display device stands for all batteries. Source: UPower's D-Bus reference.
"""

from dataclasses import dataclass

import msgspec

from client_agent.host.bus import Bus

SERVICE = "org.freedesktop.UPower"
_PATH = "/org/freedesktop/UPower"
_DISPLAY = "/org/freedesktop/UPower/devices/DisplayDevice"
_DEVICE = "org.freedesktop.UPower.Device"


class _Display(msgspec.Struct, frozen=True, rename="pascal"):
    is_present: bool
    percentage: float = 0.0


@dataclass(frozen=True)
class Power:
    """`percentage` is None on a computer without a battery."""

    is_on_battery: bool
    percentage: float | None


class UPower:
    """Methods raise FeatureAbsent and BusError."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def power(self) -> Power:
        """Where the power comes from, and how much is left in the batteries."""
        is_on_battery = self._bus.get_property(
            SERVICE, _PATH, SERVICE, "OnBattery", answer=bool
        )
        display = self._bus.get_properties(SERVICE, _DISPLAY, _DEVICE, answer=_Display)
        percentage = display.percentage if display.is_present else None
        return Power(is_on_battery, percentage)
