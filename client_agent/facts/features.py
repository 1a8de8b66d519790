"""Which services of the system the agent can count on."""

from client_agent.host.bus import Bus
from client_agent.host.errors import HostError
from client_agent.protocol.types import Json

PRESENT = "present"
ABSENT = "absent"

SERVICES = {
    "hostname1": "org.freedesktop.hostname1",
    "login1": "org.freedesktop.login1",
    "network-manager": "org.freedesktop.NetworkManager",
    "polkit": "org.freedesktop.PolicyKit1",
    "systemd1": "org.freedesktop.systemd1",
    "timedate1": "org.freedesktop.timedate1",
    "udisks2": "org.freedesktop.UDisks2",
    "upower": "org.freedesktop.UPower",
    "usbguard": "org.usbguard1",
}
_DAEMON = "org.freedesktop.DBus"
_DAEMON_PATH = "/org/freedesktop/DBus"


def features(bus: Bus) -> Json:
    """``present`` (running, or started when called) or ``absent``, by service.

    None of them is started by asking.
    """
    try:
        names = _names(bus, "ListNames") | _names(bus, "ListActivatableNames")
        bus_is = PRESENT
    except HostError:
        names, bus_is = frozenset(), ABSENT
    found = {
        feature: PRESENT if service in names else ABSENT
        for feature, service in SERVICES.items()
    }
    return {"dbus": bus_is, **found}


def _names(bus: Bus, method: str) -> frozenset[str]:
    (names,) = bus.call(_DAEMON, _DAEMON_PATH, _DAEMON, method, answer=tuple[list[str]])
    return frozenset(names)
