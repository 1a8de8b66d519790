"""Services that failed, without anything that may name a person."""

import re

from client_agent.host.bus import Bus
from client_agent.host.errors import HostError
from client_agent.host.systemd1 import Systemd1
from client_agent.protocol.types import Json

_TOLD = (".service", ".socket", ".timer")
"""Names of the other kinds are made of mount points, labels and sessions."""

_INSTANCE = re.compile(r"@.*(?=\.)")


def services(bus: Bus) -> Json:
    """``code`` says why nothing is known, if nothing is; instances are not told."""
    try:
        failed = Systemd1(bus).failed_units()
    except HostError as absent:
        return {"code": absent.code}
    told = {_INSTANCE.sub("@", u.name) for u in failed if u.name.endswith(_TOLD)}
    return {"code": "", "failed": sorted(told)}
