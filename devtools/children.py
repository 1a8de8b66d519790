"""Child processes with a log file, ended by their process id.

Every program that the development tools start goes through :func:`spawn`, so that
nothing survives the one that started it without a trace of where it came from.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

POLL_SECONDS = 0.02
LOG_TAIL_BYTES = 4000


class ChildError(Exception):
    """A program could not be started, or ended before it was ready."""


class DeadlinePassed(ChildError):
    """What was waited for did not happen in time."""


@dataclass
class Child:
    """A running program: `name` for people, `log` holds its whole output."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stopped: bool = field(default=False, init=False)

    @property
    def pid(self) -> int:
        """Process id; of the program itself, not of a shell around it."""
        return self.process.pid

    def is_running(self) -> bool:
        """Whether the program has not ended yet."""
        return self.process.poll() is None

    def log_tail(self) -> str:
        """Return the last 4,000 bytes of the log as text."""
        return tail_of(self.log)

    def stop(self, *, timeout_seconds: float = 10) -> int:
        """End the program and all that it started; return its exit status.

        Asks first; after the time limit it and its process group are killed.
        Stopping twice does nothing the second time.
        """
        if not self.stopped:
            self.stopped = True
            if self.is_running():
                self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
            _kill_group(self.process.pid)
        return self.process.wait()

    def kill(self) -> None:
        """End the program at once, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def wait_until(
        self, ready: Callable[[], bool], *, timeout_seconds: float = 30
    ) -> None:
        """Return when `ready()` is true.

        Raises:
            ChildError: the program ended first; the message has its last lines.
            DeadlinePassed: not ready in time; the program is still running.
        """

        def is_ready() -> bool:
            if not self.is_running():
                raise ChildError(
                    f"{self.name} ended with status {self.process.returncode}. "
                    f"Its last lines ({self.log}):\n{self.log_tail()}"
                )
            return ready()

        wait_until(is_ready, f"{self.name} to be ready", timeout_seconds)


def spawn(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    user: str | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Child:
    """Start a program in a session of its own, its output appended to `log`.

    A session of its own keeps Ctrl-C from reaching it: it ends when it is told to,
    in the order that its starter wants.

    Raises:
        ChildError: the program does not exist or may not be run.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment) if environment is not None else None,
                cwd=directory,
                start_new_session=True,
                user=user,
                group=user_group(user),
                extra_groups=[] if user else None,
            )
    except OSError as error:
        raise ChildError(
            f"{name} could not be started: {error.strerror}: {command[0]}"
        ) from error
    return Child(name=name, process=process, log=log, stop_signal=stop_signal)


def wait_until(
    ready: Callable[[], bool], what: str, timeout_seconds: float = 30
) -> None:
    """Return when `ready()` is true, asked every 20 ms.

    Raises:
        DeadlinePassed: it was not true within `timeout_seconds`.
    """
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if time.monotonic() > deadline:
            raise DeadlinePassed(f"Waited {timeout_seconds:.0f} s for {what}.")
        time.sleep(POLL_SECONDS)


def tail_of(log: Path) -> str:
    """Return the last 4,000 bytes of a log, empty when there is none."""
    try:
        return log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""


def user_group(user: str | None) -> int | None:
    """Return the main group of a user name."""
    if user is None:
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid


def command_line(pid: int) -> str:
    """Return the arguments of a running process, empty when there is none."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode("utf-8", "replace").strip()


def end_stranger(pid: int, *, timeout_seconds: float = 10) -> None:
    """End a process that an earlier, killed run left behind.

    The caller has made sure that it is such a one (see :func:`command_line`).

    Raises:
        DeadlinePassed: it is still there.
    """
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.kill(pid, number)
            wait_until(lambda: not command_line(pid), "a left-over", timeout_seconds)
        except ProcessLookupError:
            return
        except DeadlinePassed:
            if number is signal.SIGKILL:
                raise
            continue
        return


def _kill_group(group: int) -> None:
    """Kill what a program started in its own session and did not end itself."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
