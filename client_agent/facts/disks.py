"""File systems of the computer itself, not those that people bring."""

import psutil

from client_agent.protocol.types import Json

_OF_PEOPLE = ("/home/", "/media/", "/mnt/", "/run/media/", "/run/user/")
"""Mount points below carry names of people or of their things."""

_STEPS = 50
"""Free space is told in fiftieths of the whole, so that it seldom changes."""


def disks() -> Json:
    """By mount point; sizes in bytes."""
    found = []
    for partition in psutil.disk_partitions(all=False):
        if (
            partition.mountpoint.startswith(_OF_PEOPLE)
            or partition.fstype == "squashfs"
        ):
            continue
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:  # unmounted meanwhile
            continue
        found.append(
            {
                "mountpoint": partition.mountpoint,
                "device": partition.device,
                "filesystem": partition.fstype,
                "total_bytes": usage.total,
                "free_bytes": _coarse(usage.free, usage.total),
            }
        )
    return sorted(found, key=lambda disk: str(disk["mountpoint"]))


def _coarse(free: int, total: int) -> int:
    step = max(1, total // _STEPS)
    return free // step * step
