"""What the running agent says about itself, for people at the computer."""

import fcntl
import os
import time
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from client_agent.errors import AgentError
from client_agent.host.files import read_or_none, write_atomically
from client_agent.texts import _

_LOCK_TRIES = 10
_LOCK_SECONDS = 0.05


class Status(msgspec.Struct, frozen=True):
    """Content of ``status.json``, readable by all: it holds no secret.

    `checks` counts finished rounds of exchanges, so that who asked for one can see
    that it is over; `error` is the code of what failed last, empty when all is well.
    """

    pid: int
    started_at: datetime
    checks: int
    portal: str = ""
    enrolment: str = ""
    pairing_code: str = ""
    computer: str = ""
    error: str = ""
    is_link_connected: bool = False
    is_socket_up: bool = False
    last_answer_at: datetime | None = None
    clock_offset_seconds: int = 0
    revision: int = 0
    jobs: int = 0
    reports_waiting: int = 0


def write_status(path: Path, status: Status) -> None:
    write_atomically(path, msgspec.json.encode(status) + b"\n", mode=0o644)


def read_status(path: Path) -> Status | None:
    """What a running agent wrote last; None if there is nothing to be read."""
    try:
        raw = read_or_none(path)
        return None if raw is None else msgspec.json.decode(raw, type=Status)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def take_lock(path: Path) -> IO[str]:
    """Become the one root half below this root, as long as the file stays open.

    Raises:
        AgentError: ``agent-running``.
    """
    lock = path.open("a+", encoding="ascii")
    for remaining in range(_LOCK_TRIES, -1, -1):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if remaining:  # it may only be somebody who looks whether it is held
                time.sleep(_LOCK_SECONDS)
                continue
            lock.close()
            raise AgentError(
                "agent-running",
                str(path),
                hint=_(
                    "Only one agent can run for one computer; stop the other first."
                ),
            ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def running_pid(path: Path) -> int | None:
    """Process id of the root half that holds the lock; None if none runs."""
    try:
        with path.open("r+", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return int(lock.read() or "0") or None
    except (OSError, ValueError):
        return None
    return None
