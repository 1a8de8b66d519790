"""What a computer tells about itself, in words. Believes nothing of its shape.

Sizes and states are those of `client_agent.facts`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import msgspec
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

Row = tuple[str, str]
"""What it is, and how it is; empty if the computer does not say."""


_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _System(msgspec.Struct):
    name: str = ""
    architecture: str = ""
    kernel: str = ""
    host_name: str = ""


class _Hardware(msgspec.Struct):
    vendor: str = ""
    model: str = ""
    serial: str = ""
    cpu: str = ""
    cpu_cores: _Count = 0
    memory_bytes: _Count = 0


class _Disk(msgspec.Struct):
    mountpoint: str
    total_bytes: _Count
    free_bytes: _Count


class _Interface(msgspec.Struct):
    name: str
    addresses: list[str]


class _Connections(msgspec.Struct):
    connectivity: str = ""


class _Power(msgspec.Struct):
    is_on_battery: bool
    percentage: _Count | None = None


class _Time(msgspec.Struct):
    timezone: str
    is_ntp_on: bool
    is_synchronised: bool


class _Services(msgspec.Struct):
    failed: list[str]


class _Agent(msgspec.Struct):
    version: str


def described(facts: Mapping[str, Any]) -> list[Row]:
    """A row for each thing that there are words for, without what is odd or missing."""
    return [
        (label, text)
        for kind, (shape, say) in _KINDS.items()
        if kind in facts
        for label, text in _said(facts[kind], shape, say)
        if text
    ]


def _said(value: Any, shape: Any, say: Callable[[Any], Iterator[Row]]) -> list[Row]:
    try:
        told = msgspec.convert(value, shape)
    except msgspec.ValidationError:
        return []
    return list(say(told))


def _system(told: _System) -> Iterator[Row]:
    yield _("Operating system"), _joined(told.name, told.architecture)
    yield _("Kernel"), told.kernel
    yield _("Name in the network"), told.host_name


def _hardware(told: _Hardware) -> Iterator[Row]:
    yield _("Make and model"), _joined(told.vendor, told.model)
    yield _("Serial number"), told.serial
    cores = ngettext("%(count)d core", "%(count)d cores", told.cpu_cores)
    said = cores % {"count": told.cpu_cores} if told.cpu_cores > 0 else ""
    yield _("Processor"), ", ".join(filter(None, (told.cpu, said)))
    yield _("Memory"), _size(told.memory_bytes)


def _disks(told: list[_Disk]) -> Iterator[Row]:
    for disk in told:
        yield (
            _("Disk %(place)s") % {"place": disk.mountpoint},
            _("%(free)s free of %(total)s")
            % {"free": _size(disk.free_bytes), "total": _size(disk.total_bytes)},
        )


def _network(told: list[_Interface]) -> Iterator[Row]:
    for each in told:
        yield _("Network %(name)s") % {"name": each.name}, ", ".join(each.addresses)


def _connections(told: _Connections) -> Iterator[Row]:
    words = {
        "full": _("Works"),
        "portal": _("A page that wants a login is in the way"),
        "limited": _("No further than the local network"),
        "none": _("None"),
    }
    yield _("Way to the internet"), words.get(told.connectivity, "")


def _power(told: _Power) -> Iterator[Row]:
    source = _("Battery") if told.is_on_battery else _("Mains")
    charge = "" if told.percentage is None else f"{told.percentage} %"
    yield _("Power"), ", ".join(filter(None, (source, charge)))


def _time(told: _Time) -> Iterator[Row]:
    yield _("Time zone"), told.timezone
    if not told.is_ntp_on:
        said = _("Not set over the network")
    elif told.is_synchronised:
        said = _("Set over the network")
    else:
        said = _("To be set over the network, but no time server answers")
    yield _("Clock"), said


def _services(told: _Services) -> Iterator[Row]:
    yield _("Services that failed"), ", ".join(told.failed) or _("None")


def _agent(told: _Agent) -> Iterator[Row]:
    yield _("Version of the agent"), told.version


_KINDS: Mapping[str, tuple[Any, Callable[[Any], Iterator[Row]]]] = {
    "os": (_System, _system),
    "hardware": (_Hardware, _hardware),
    "disks": (list[_Disk], _disks),
    "network": (list[_Interface], _network),
    "connections": (_Connections, _connections),
    "power": (_Power, _power),
    "time": (_Time, _time),
    "services": (_Services, _services),
    "agent": (_Agent, _agent),
}


def _joined(*words: str) -> str:
    return " ".join(filter(None, words))


def _size(size_bytes: int) -> str:
    return str(filesizeformat(size_bytes)) if size_bytes > 0 else ""
