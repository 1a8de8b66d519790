"""Who is at the other end of a UNIX socket."""

import os
import pwd
import socket
import struct
from pathlib import Path

LINK_USER = "citizenpc-link"

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid. Source: unix(7)


def uid_of(connection: socket.socket) -> int:
    """User of the process that connected or listened; the kernel's word."""
    raw = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
    )
    return int(_CREDENTIALS.unpack(raw)[1])


def expected_link_uid(root: Path) -> int:
    """User whom link must be: its own on a computer, ours in a sandbox."""
    if root == Path("/") and os.geteuid() == 0:
        try:
            return pwd.getpwnam(LINK_USER).pw_uid
        except KeyError:
            pass
    return os.geteuid()


def expected_link_gid(root: Path) -> int:
    """Group of that user."""
    uid = expected_link_uid(root)
    return os.getegid() if uid == os.geteuid() else pwd.getpwuid(uid).pw_gid
