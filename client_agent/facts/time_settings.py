"""Time zone, and whether the network sets the clock."""

from client_agent.host.bus import Bus
from client_agent.host.errors import HostError
from client_agent.host.timedate1 import Timedate1
from client_agent.protocol.types import Json


def time_settings(bus: Bus) -> Json:
    """``code`` says why nothing is known, if nothing is."""
    try:
        found = Timedate1(bus).settings()
    except HostError as absent:
        return {"code": absent.code}
    return {
        "code": "",
        "timezone": found.timezone,
        "is_ntp_on": found.is_ntp_on,
        "is_synchronised": found.is_synchronised,
    }
