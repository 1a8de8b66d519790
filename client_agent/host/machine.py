"""What firmware and kernel say about the machine.

Source: sysfs-firmware-dmi-tables, proc_cpuinfo(5).
"""

from dataclasses import dataclass
from pathlib import Path

from client_agent.host.files import read_or_none

_DMI = "sys/class/dmi/id"
_DEVICE_TREE = "proc/device-tree"
_PLACEHOLDERS = frozenset(
    {
        "0",
        "default string",
        "n/a",
        "none",
        "not applicable",
        "not specified",
        "o.e.m.",
        "system manufacturer",
        "system product name",
        "system serial number",
        "to be filled by o.e.m.",
        "unknown",
    }
)
"""What manufacturers leave in the fields that they do not fill."""


@dataclass(frozen=True)
class Machine:
    """Empty where nothing is said, or nothing that this user may read."""

    vendor: str
    model: str
    serial: str
    firmware: str
    cpu: str


def read_machine(root: Path = Path("/")) -> Machine:
    """Read DMI, or the device tree of boards without, below `root`."""
    return Machine(
        vendor=_dmi(root, "sys_vendor"),
        model=_dmi(root, "product_name") or _line(root / _DEVICE_TREE / "model"),
        serial=_dmi(root, "product_serial")
        or _line(root / _DEVICE_TREE / "serial-number"),
        firmware=_dmi(root, "bios_version"),
        cpu=_cpu_model(root),
    )


def is_physical_interface(name: str, root: Path = Path("/")) -> bool:
    """Whether a network interface is a device and not made by software."""
    return (root / "sys/class/net" / name / "device").exists()


def _dmi(root: Path, name: str) -> str:
    said = _line(root / _DMI / name)
    return "" if said.lower() in _PLACEHOLDERS else said


def _line(path: Path) -> str:
    try:
        raw = read_or_none(path) or b""
    except OSError:  # readable by root alone
        return ""
    return raw.decode("utf-8", "replace").strip("\0 \t\n")


def _cpu_model(root: Path) -> str:
    for line in _line(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return ""
