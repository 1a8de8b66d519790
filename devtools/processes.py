"""The portal's own processes for demonstrations, smoke runs and tests.

Typical use::

    port = free_port()
    with servers.start(directory, durable=False) as running, Processes() as processes:
        env = environment(running, directory, port)
        prepare(env)
        processes.add(start_web(env, port, directory / "log"))
        processes.add(start_worker(env, directory / "log"))
"""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from admin_site.core.crypto import make_master_key_file
from devtools.children import Child, ChildError, spawn
from devtools.errors import DevtoolsError
from devtools.servers import Servers

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
SECRET_KEY_BYTES = 32
COMMAND_SECONDS = 300

LOOSE_LIMITS = {
    "CITIZENPC_ENROLMENTS_PER_MINUTE": "100000",
    "CITIZENPC_WRONG_TOKENS_PER_HOUR": "1000",
    "CITIZENPC_SIGN_IN_FAILURES_PER_ACCOUNT": "1000",
    "CITIZENPC_SIGN_IN_FAILURES_PER_ADDRESS": "1000",
}
"""Simulated computers and browsers all have the same address."""
READY_SECONDS = 60


class CommandFailed(DevtoolsError):
    """A management command failed; the text has its last lines."""


class PortTaken(DevtoolsError):
    """The port asked for is used by another program."""


class Processes:
    """Running programs, stopped in the reverse order of their start."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def add(self, child: Child) -> Child:
        """Take charge of a program and return it."""
        self._children.append(child)
        return child

    def stop(self) -> None:
        """Stop all, even when stopping one fails; a second call does nothing."""
        with contextlib.ExitStack() as stack:
            for child in self._children:
                stack.callback(child.stop)
        self._children.clear()

    def ended(self) -> list[Child]:
        """Return the programs that ended although nobody stopped them."""
        return [child for child in self._children if not child.is_running()]


def free_port() -> int:
    """Return a TCP port of the loopback interface that nothing uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def check_port(port: int) -> None:
    """Do nothing when `port` is free on the loopback interface.

    Raises:
        PortTaken: it is not.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(
                f"Port {port} cannot be used ({error.strerror}): stop the program that "
                "has it, or choose another port."
            ) from error


def environment(
    servers: Servers, directory: Path, port: int, *, origin: str | None = None
) -> dict[str, str]:
    """Return the whole environment of the portal's processes.

    The secret key and the master key are made in `directory`/keys on first use, mode
    0600, and kept; blobs are kept in `directory`/blobs, heads of the audit log in
    `directory`/audit-anchor. The owner's database address is in it for :func:`manage`
    with `as_owner`; web processes and workers do not get it (see :func:`start_web`).
    """
    blobs = directory / "blobs"
    blobs.mkdir(parents=True, exist_ok=True, mode=0o700)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CITIZENPC_", "DATABASE_", "REDIS_", "PYTEST_"))
    }
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "admin_site.config.settings",
        "DATABASE_URL": servers.database_url,
        "DATABASE_OWNER_URL": servers.database_owner_url,
        "REDIS_URL": servers.redis_url,
        "CITIZENPC_SECRET_KEY": secret_key(directory),
        "CITIZENPC_MASTER_KEY_FILE": str(master_key_file(directory)),
        "CITIZENPC_AUDIT_ANCHOR": str(directory / "audit-anchor"),
        "CITIZENPC_ORIGIN": origin or f"http://{HOST}:{port}",
        "CITIZENPC_BLOB_DIR": str(blobs),
        **LOOSE_LIMITS,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
    }


def secret_key(directory: Path) -> str:
    """Return the secret key in `directory`/keys, made once, mode 0600."""
    path = _keys(directory) / "secret.key"
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(SECRET_KEY_BYTES) + "\n")
    return path.read_text(encoding="ascii").strip()


def master_key_file(directory: Path) -> Path:
    """Return the file of the master key in `directory`/keys, made once, mode 0600."""
    path = _keys(directory) / "master.key"
    with contextlib.suppress(FileExistsError):
        make_master_key_file(path)
    return path


def _keys(directory: Path) -> Path:
    path = directory / "keys"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def manage(
    environment: Mapping[str, str], *arguments: str, as_owner: bool = False
) -> str:
    """Run ``manage.py`` with `arguments` and return what it printed.

    With `as_owner` it connects as the database role that owns the tables.

    Raises:
        CommandFailed: it did not end with status 0 within five minutes.
    """
    variables = dict(environment)
    if as_owner:
        variables["DATABASE_URL"] = environment["DATABASE_OWNER_URL"]
    variables["CITIZENPC_PROCESS"] = "command"
    try:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=variables,
            timeout=COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(
            f"manage.py {arguments[0]} took more than {COMMAND_SECONDS} s."
        ) from error
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()[-30:]
        raise CommandFailed(f"manage.py {arguments[0]} failed:\n" + "\n".join(lines))
    return done.stdout


def prepare(environment: Mapping[str, str]) -> None:
    """Bring the database to the current migrations and load the script library."""
    manage(environment, "migrate", "--verbosity", "0", as_owner=True)
    manage(environment, "load_library", as_owner=True)


def start_web(
    environment: Mapping[str, str], port: int, logs: Path, *, name: str = "daphne"
) -> Child:
    """Start a web process on `port` and return it when it answers requests.

    It is not told where the master key is: only workers sign.

    Raises:
        PortTaken: see the text.
        ChildError: it ended or did not answer in time.
    """
    check_port(port)
    web = [sys.executable, "-m", "admin_site.config.web", "-b", HOST, "-p", str(port)]
    child = spawn(
        name,
        web,
        log=logs / f"{name}.log",
        environment=_variables(environment, "web"),
        directory=ROOT,
    )
    try:
        child.wait_until(lambda: is_answering(port), timeout_seconds=READY_SECONDS)
    except ChildError:
        child.stop()
        raise
    return child


def start_worker(
    environment: Mapping[str, str], logs: Path, *, name: str = "worker"
) -> Child:
    """Start a worker and return at once: what it does tells when it is ready."""
    return spawn(
        name,
        [sys.executable, str(ROOT / "manage.py"), "worker"],
        log=logs / f"{name}.log",
        environment=_variables(environment, "worker"),
        directory=ROOT,
    )


def is_answering(port: int) -> bool:
    """Whether an HTTP server answers on `port`, whatever it says."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/static/nothing-here")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _variables(environment: Mapping[str, str], kind: str) -> dict[str, str]:
    """Leave out what this kind of process must not know."""
    hidden = {"DATABASE_OWNER_URL"}
    if kind == "web":
        hidden |= {"CITIZENPC_MASTER_KEY_FILE", "CITIZENPC_AUDIT_ANCHOR"}
    kept = {name: value for name, value in environment.items() if name not in hidden}
    return kept | {"CITIZENPC_PROCESS": kind}
