"""Double of systemd's manager, a python-dbusmock template."""

from typing import Any

BUS_NAME = "org.freedesktop.systemd1"
MAIN_IFACE = "org.freedesktop.systemd1.Manager"
MAIN_OBJ = "/org/freedesktop/systemd1"
SYSTEM_BUS = True

_UNITS = "a(ssssssouso)"


def load(mock: Any, parameters: dict[str, Any]) -> None:
    """Know the `units`, each with its load, active and substate, by name."""
    units: dict[str, list[str]] = parameters.get("units", {})

    def listed(name: str) -> tuple[Any, ...]:
        load_state, active, sub = units.get(name, ["not-found", "inactive", "dead"])
        path = f"{MAIN_OBJ}/unit/unit"
        return (name, "A unit", load_state, active, sub, "", path, 0, "", "/")

    mock.by_names = lambda names: [listed(str(name)) for name in names]
    mock.in_states = lambda states: [listed(n) for n in units if units[n][1] in states]
    mock.AddMethods(
        MAIN_IFACE,
        [
            ("ListUnitsByNames", "as", _UNITS, "ret = self.by_names(args[0])"),
            ("ListUnitsFiltered", "as", _UNITS, "ret = self.in_states(args[0])"),
        ],
    )
