"""Units of the system's service manager.

Source: org.freedesktop.systemd1(5).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from client_agent.host.bus import Bus

SERVICE = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_MANAGER = "org.freedesktop.systemd1.Manager"

_Listed = tuple[str, str, str, str, str, str, str, int, str, str]
"""Name, description, load state, active state, substate, unit that it follows, object
path, number, type and object path of its job."""


@dataclass(frozen=True)
class UnitState:
    """`load` is ``loaded``, ``not-found``, ``masked``, ...; `active` is ``active``,
    ``inactive``, ``failed``, ``activating``, ...; `sub` depends on the kind of unit."""

    name: str
    load: str
    active: str
    sub: str

    @property
    def is_known(self) -> bool:
        """Whether there is such a unit on this computer at all."""
        return self.load != "not-found"


class Systemd1:
    """Methods raise FeatureAbsent and BusError."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def units(self, names: Sequence[str]) -> list[UnitState]:
        """States of these units, those that do not exist included."""
        return self._listed("ListUnitsByNames", names)

    def failed_units(self) -> list[UnitState]:
        """The units that systemd calls failed."""
        return self._listed("ListUnitsFiltered", ["failed"])

    def _listed(self, method: str, words: Sequence[str]) -> list[UnitState]:
        (listed,) = self._bus.call(
            SERVICE,
            _PATH,
            _MANAGER,
            method,
            (list(words),),
            signature="(as)",
            answer=tuple[list[_Listed]],
        )
        return [
            UnitState(name, load, active, sub)
            for name, _description, load, active, sub, *_others in listed
        ]
