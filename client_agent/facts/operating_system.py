"""Operating system, kernel and host name."""

import os
from pathlib import Path

from client_agent.host.os_release import read_os_release
from client_agent.protocol.types import Json


def operating_system(root: Path) -> Json:
    """Of the system below `root`; kernel, architecture and name of the running one."""
    release = read_os_release(root)
    running = os.uname()
    return {
        "id": release.get("ID", ""),
        "version": release.get("VERSION_ID", ""),
        "name": release.get("PRETTY_NAME", ""),
        "kernel": running.release,
        "architecture": running.machine,
        "host_name": running.nodename,
    }
