"""Connections as NetworkManager sees them; without names, secrets or neighbours.

The name of a wireless connection is often that of its network, so it is not kept.
Source: NetworkManager's D-Bus reference, nm-dbus-types(7).
"""

from dataclasses import dataclass

import msgspec

from client_agent.host.bus import Bus
from client_agent.host.errors import FeatureAbsent

SERVICE = "org.freedesktop.NetworkManager"
_PATH = "/org/freedesktop/NetworkManager"
_ACTIVE = "org.freedesktop.NetworkManager.Connection.Active"
_DEVICE = "org.freedesktop.NetworkManager.Device"

_CONNECTIVITY = {1: "none", 2: "portal", 3: "limited", 4: "full"}
_ACTIVATED = 2
_MOST = 16
"""Connections and devices that are looked at; each costs a call."""


class _Overall(msgspec.Struct, frozen=True, rename="pascal"):
    active_connections: list[str]
    connectivity: int = 0


class _Active(msgspec.Struct, frozen=True, rename="pascal"):
    type: str
    state: int
    devices: list[str] = []


@dataclass(frozen=True)
class Connection:
    """`type` is ``802-3-ethernet``, ``802-11-wireless``, ``vpn``, ...; `devices` are
    names of network interfaces."""

    type: str
    devices: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """`connectivity` is ``full``, ``portal`` (a login page is in the way), ``limited``,
    ``none`` or ``unknown``, which it also is where it is not checked."""

    connectivity: str
    connections: tuple[Connection, ...]


class Networks:
    """Methods raise FeatureAbsent and BusError."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def network(self) -> Network:
        """What is connected now; what ends meanwhile is left out."""
        manager = self._bus.get_properties(SERVICE, _PATH, SERVICE, answer=_Overall)
        found = [self._connection(path) for path in manager.active_connections[:_MOST]]
        return Network(
            connectivity=_CONNECTIVITY.get(manager.connectivity, "unknown"),
            connections=tuple(each for each in found if each is not None),
        )

    def _connection(self, path: str) -> Connection | None:
        """None for one that is gone, or is not yet or no longer connected."""
        try:
            active = self._bus.get_properties(SERVICE, path, _ACTIVE, answer=_Active)
        except FeatureAbsent:
            return None
        if active.state != _ACTIVATED:
            return None
        names = [self._interface(device) for device in active.devices[:_MOST]]
        return Connection(active.type, tuple(name for name in names if name))

    def _interface(self, path: str) -> str:
        try:
            return self._bus.get_property(
                SERVICE, path, _DEVICE, "Interface", answer=str
            )
        except FeatureAbsent:
            return ""
