"""What systemd-hostnamed knows about the computer.

Source: org.freedesktop.hostname1(5).
"""

import msgspec

from client_agent.host.bus import Bus

SERVICE = "org.freedesktop.hostname1"
_PATH = "/org/freedesktop/hostname1"


class HostDescription(msgspec.Struct, frozen=True, rename="pascal"):
    """Empty where this version of systemd does not say."""

    hostname: str = ""
    static_hostname: str = ""
    chassis: str = ""
    deployment: str = ""
    hardware_vendor: str = ""
    hardware_model: str = ""
    kernel_release: str = ""
    operating_system_pretty_name: str = ""


class Hostname1:
    """Methods raise FeatureAbsent and BusError."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def describe(self) -> HostDescription:
        """The computer as hostnamed sees it now."""
        return self._bus.get_properties(SERVICE, _PATH, SERVICE, answer=HostDescription)
