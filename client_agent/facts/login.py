"""Whether somebody is at the computer, and on what kind of display; never who."""

from client_agent.host.bus import Bus
from client_agent.host.errors import HostError
from client_agent.host.login1 import Login1
from client_agent.protocol.types import Json


def login(bus: Bus) -> Json:
    """``code`` says why nothing is known, if nothing is."""
    try:
        sessions = Login1(bus).sessions()
    except HostError as absent:
        return {"code": absent.code}
    seated = [session for session in sessions if session.seat]
    return {
        "code": "",
        "is_citizen_session_active": any(s.is_of_citizen for s in sessions),
        "display_types": sorted({session.type for session in seated}),
        "seats": sorted({session.seat for session in seated}),
    }
