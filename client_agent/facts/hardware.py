"""Make, model, serial number, processor and memory."""

import psutil

from client_agent.host.bus import Bus
from client_agent.host.errors import HostError
from client_agent.host.hostname1 import HostDescription, Hostname1
from client_agent.host.machine import read_machine
from client_agent.protocol.types import Json


def hardware(bus: Bus) -> Json:
    """Empty strings where the machine does not say."""
    machine = read_machine()
    described = _described(bus)
    return {
        "vendor": described.hardware_vendor or machine.vendor,
        "model": described.hardware_model or machine.model,
        "serial": machine.serial,
        "firmware": machine.firmware,
        "chassis": described.chassis,
        "cpu": machine.cpu,
        "cpu_threads": psutil.cpu_count() or 0,
        "cpu_cores": psutil.cpu_count(logical=False) or 0,
        "memory_bytes": psutil.virtual_memory().total,
    }


def _described(bus: Bus) -> HostDescription:
    try:
        return Hostname1(bus).describe()
    except HostError:  # what it would add is told by DMI as well
        return HostDescription()
