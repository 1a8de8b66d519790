"""The database and cache servers of a first run and of tests.

Given addresses are used as they are; otherwise programs installed on the system, and
otherwise those of the wheels in the development environment. Servers that are started
here listen on UNIX sockets in a directory that only this user may enter.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from devtools import children, postgres, valkey
from devtools.errors import DevtoolsError

# sun_path holds 108 bytes with its ending zero; this is the longest of our names.
LONGEST_SOCKET_PATH = 107
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"
CACHE_SOCKET = "cache.sock"
PREFIX = "cpc-"


class ServersError(DevtoolsError):
    """The servers cannot be started as asked; the text says what to do."""


@dataclass
class Servers:
    """Addresses of running servers; stops those that were started for it.

    `superuser_dsn` is empty, and `database` and `cache` are None, for servers that were
    given or are shared; tests stop these programs to see what the portal does then.
    """

    database_url: str
    database_owner_url: str
    redis_url: str
    superuser_dsn: str = ""
    database: children.Child | None = None
    cache: children.Child | None = None
    cleanup: contextlib.ExitStack = field(
        default_factory=contextlib.ExitStack, repr=False
    )

    def __enter__(self) -> Servers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop what was started here, last first; a second call does nothing."""
        self.cleanup.close()


def start(
    directory: Path,
    *,
    durable: bool,
    sockets: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Servers:
    """Return running servers with the two roles and the portal's database.

    DATABASE_URL with DATABASE_OWNER_URL, and REDIS_URL, are taken from `environ`
    (default: our own environment) and not started. Data is kept below `directory`,
    which one process at a time may use; what an earlier killed run left running there
    is ended. `sockets` is a short directory that exists and is ours alone; without it
    a temporary one is made and removed again.

    Raises:
        DevtoolsError: a sentence about what is missing or taken; nothing is running.
    """
    given = os.environ if environ is None else environ
    with contextlib.ExitStack() as stack:
        places = _Places(directory, sockets, stack)
        servers = Servers(*_given_database(given), given.get("REDIS_URL", ""))
        if not servers.database_url:
            _start_database(servers, places, durable)
        if not servers.redis_url:
            _start_cache(servers, places)
        servers.cleanup = stack.pop_all()
        return servers


def embedded_addresses(sockets: Path) -> dict[str, str]:
    """Return the addresses of servers that will be started in `sockets`.

    They are known before anything runs, so that settings can be loaded first.
    """
    return {
        "DATABASE_URL": postgres.url("citizenpc_app", sockets, postgres.DATABASE),
        "DATABASE_OWNER_URL": postgres.url(
            "citizenpc_owner", sockets, postgres.DATABASE
        ),
        "REDIS_URL": valkey.url(sockets / CACHE_SOCKET),
    }


def private_directory() -> Path:
    """Make a directory that only this user may enter, short enough for sockets."""
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp is private
        path = Path(parent) / f"{PREFIX}12345678" / LONGEST_SOCKET_NAME
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    raise ServersError(
        "No temporary directory has a path short enough for sockets: set TMPDIR to one."
    )


class _Places:
    """Data and socket directories, locked and made when the first server needs them."""

    def __init__(
        self, directory: Path, sockets: Path | None, stack: contextlib.ExitStack
    ) -> None:
        self.directory = directory.resolve()
        self.stack = stack
        self._sockets = sockets
        self._is_locked = False

    def sockets(self) -> Path:
        self._lock()
        if self._sockets is None:
            self._sockets = self._new_sockets()
        longest = self._sockets / LONGEST_SOCKET_NAME
        if len(os.fsencode(longest)) > LONGEST_SOCKET_PATH:
            raise ServersError(f"{self._sockets} is too long a path for sockets.")
        return self._sockets

    def _new_sockets(self) -> Path:
        """Make a directory, and remove that of a run that could not do so itself."""
        record = self.directory / "sockets"
        left = Path(record.read_text()) if record.exists() else None
        if left and left.name.startswith(PREFIX):
            shutil.rmtree(left, ignore_errors=True)
        made = private_directory()
        record.write_text(str(made))
        self.stack.callback(shutil.rmtree, made, ignore_errors=True)
        return made

    def _lock(self) -> None:
        """Hold the data directory; the kernel lets go of it when this process ends."""
        if self._is_locked:
            return
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.directory / "lock").open("w")
        except OSError as error:
            raise ServersError(
                f"{self.directory} cannot be written: {error.strerror}."
            ) from error
        self.stack.callback(lock.close)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ServersError(
                f"Another process is using the servers in {self.directory}: stop it "
                "first, or use another directory."
            ) from error
        self._is_locked = True


def _given_database(environ: Mapping[str, str]) -> tuple[str, str]:
    app, owner = environ.get("DATABASE_URL", ""), environ.get("DATABASE_OWNER_URL", "")
    if bool(app) != bool(owner):
        raise ServersError(
            "Set both DATABASE_URL (role citizenpc_app) and DATABASE_OWNER_URL (role "
            "citizenpc_owner), or neither; admin_site/config/roles.sql makes the roles."
        )
    return app, owner


def _start_database(servers: Servers, places: _Places, is_durable: bool) -> None:
    sockets = places.sockets()
    data = places.directory / "postgres"
    servers.database = postgres.start(data, sockets, is_durable=is_durable)
    places.stack.callback(servers.database.stop, timeout_seconds=postgres.STOP_SECONDS)
    postgres.prepare(sockets)
    addresses = embedded_addresses(sockets)
    servers.database_url = addresses["DATABASE_URL"]
    servers.database_owner_url = addresses["DATABASE_OWNER_URL"]
    servers.superuser_dsn = postgres.superuser_dsn(sockets)


def _start_cache(servers: Servers, places: _Places) -> None:
    socket = places.sockets() / CACHE_SOCKET
    servers.cache = valkey.start(places.directory / "valkey", socket)
    places.stack.callback(servers.cache.stop)
    servers.redis_url = valkey.url(socket)
