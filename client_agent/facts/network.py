"""Network interfaces with their hardware and IP addresses."""

import ipaddress
import socket

import psutil

from client_agent.host.machine import is_physical_interface
from client_agent.protocol.types import Json

_ADDRESSES = 8


def network() -> Json:
    """Devices, and what software made if it has an address; no loopback."""
    found: list[Json] = []
    for name, addresses in sorted(psutil.net_if_addrs().items()):
        reachable = sorted(
            entry.address
            for entry in addresses
            if entry.family in (socket.AF_INET, socket.AF_INET6)
            and _is_lasting(entry.address)
        )
        macs = [e.address for e in addresses if e.family == psutil.AF_LINK]
        if name != "lo" and (reachable or is_physical_interface(name)):
            mac = macs[0] if macs else ""
            shown = reachable[:_ADDRESSES]
            found.append({"name": name, "mac": mac, "addresses": shown})
    return found


def _is_lasting(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local)
