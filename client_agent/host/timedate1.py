"""Time zone and time of the network, as systemd-timedated knows them.

Source: org.freedesktop.timedate1(5).
"""

import msgspec

from client_agent.host.bus import Bus

SERVICE = "org.freedesktop.timedate1"
_PATH = "/org/freedesktop/timedate1"


class TimeSettings(msgspec.Struct, frozen=True):
    """`is_ntp_on` says what is wanted, `is_synchronised` what has come of it."""

    timezone: str = msgspec.field(name="Timezone")
    can_ntp: bool = msgspec.field(name="CanNTP", default=False)
    is_ntp_on: bool = msgspec.field(name="NTP", default=False)
    is_synchronised: bool = msgspec.field(name="NTPSynchronized", default=False)


class Timedate1:
    """Methods raise FeatureAbsent and BusError."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def settings(self) -> TimeSettings:
        """Time zone and synchronisation as they are now."""
        return self._bus.get_properties(SERVICE, _PATH, SERVICE, answer=TimeSettings)
