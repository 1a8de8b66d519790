"""Double of systemd-hostnamed, a python-dbusmock template."""

from typing import Any

BUS_NAME = MAIN_IFACE = "org.freedesktop.hostname1"
MAIN_OBJ = "/org/freedesktop/hostname1"
SYSTEM_BUS = True


def load(mock: Any, parameters: dict[str, Any]) -> None:
    """Give the object the properties in `parameters`."""
    mock.AddProperties(MAIN_IFACE, parameters)
