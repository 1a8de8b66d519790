"""The operating system's own description.

Source: os-release(5).
"""

import shlex
from pathlib import Path

from client_agent.host.files import read_or_none

_PLACES = ("etc/os-release", "usr/lib/os-release")


def read_os_release(root: Path) -> dict[str, str]:
    """Values by name of the system below `root`, or of this one if it has none."""
    for directory in (root, Path("/")):
        for place in _PLACES:
            try:
                raw = read_or_none(directory / place)
            except OSError:  # a link: the other place is what it leads to
                continue
            if raw is not None:
                return parse_os_release(raw)
    return {}


def parse_os_release(raw: bytes) -> dict[str, str]:
    """Assignments in `raw`; lines that are none are passed over."""
    values = {}
    for line in raw.decode("utf-8", "replace").splitlines():
        name, is_assignment, value = line.strip().partition("=")
        if not is_assignment or not name.replace("_", "").isalnum():
            continue
        try:
            values[name] = "".join(shlex.split(value))
        except ValueError:  # an open quotation mark
            continue
    return values
