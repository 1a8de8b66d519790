"""What the computer is connected through, and whether that leads anywhere."""

from client_agent.host.bus import Bus
from client_agent.host.errors import HostError
from client_agent.host.network_manager import Networks
from client_agent.protocol.types import Json


def connections(bus: Bus) -> Json:
    """``code`` says why nothing is known, if nothing is; never a network's name."""
    try:
        network = Networks(bus).network()
    except HostError as absent:
        return {"code": absent.code}
    active: list[Json] = [
        {"type": type_, "devices": list(devices)}
        for type_, devices in sorted(
            (each.type, sorted(each.devices)) for each in network.connections
        )
    ]
    return {"code": "", "connectivity": network.connectivity, "active": active}
