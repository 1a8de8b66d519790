"""Programs that the agent starts, each with everything that it starts in turn."""

import asyncio
import contextlib
import errno
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from client_agent.host.errors import HostError
from client_agent.waiting import happens

_READ_BYTES = 64 * 1024
_GRACE_SECONDS = 2.0
"""Between the polite signal and the one that cannot be refused."""

_DRAIN_SECONDS = 1.0
"""For output of a program that ended while something else holds its pipe."""

_BUSY_TRIES = 50
_BUSY_SECONDS = 0.02

_START_CODES = {
    errno.ENOENT: "interpreter-missing",
    errno.EACCES: "not-executable",
    errno.EPERM: "not-executable",
    errno.ENOEXEC: "format-unknown",
    errno.E2BIG: "arguments-too-long",
    errno.ENOMEM: "memory-full",
    errno.EAGAIN: "processes-exhausted",
}


@dataclass(frozen=True)
class Limits:
    """What a program and all of its children may use."""

    memory_bytes: int


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one of the same number."""

    pid: int
    start_ticks: int


class Process:
    """A running program in its own session. Made by `start`."""

    def __init__(
        self,
        popen: "subprocess.Popen[bytes]",
        output: int,
        on_output: Callable[[bytes], None],
        cgroup: "Cgroup | None",
    ) -> None:
        self._popen = popen
        self._on_output = on_output
        self._cgroup = cgroup
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._drained = asyncio.Event()
        self.identity = Identity(popen.pid, start_ticks_of(popen.pid) or 0)
        self._output = output
        os.set_blocking(self._output, False)
        self._pidfd = os.pidfd_open(popen.pid)
        self._loop.add_reader(self._output, self._read)
        self._loop.add_reader(self._pidfd, self._note_end)

    async def wait(self) -> int:
        """Exit status (negative: the signal), once all output was passed on.

        Whatever the program left running is killed.
        """
        await self._ended.wait()
        self._signal_all(signal.SIGKILL)
        await happens(self._drained, within=_DRAIN_SECONDS)
        self._close()
        return self._popen.wait()

    def end(self) -> None:
        """Ask all of it to end, and kill what still runs two seconds later."""
        if not self._ended.is_set():
            self._signal_all(signal.SIGTERM)
            self._loop.call_later(_GRACE_SECONDS, self.kill)

    def kill(self) -> None:
        """Kill all of it now."""
        if not self._ended.is_set():
            self._signal_all(signal.SIGKILL)

    def _read(self) -> None:
        try:
            data = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._on_output(data)
        else:
            self._loop.remove_reader(self._output)
            self._drained.set()

    def _note_end(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._ended.set()

    def _signal_all(self, number: signal.Signals) -> None:
        """Only before the program was reaped: its number is its group's as well."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)
        if self._cgroup is not None and number is signal.SIGKILL:
            self._cgroup.kill()

    def _close(self) -> None:
        self._loop.remove_reader(self._output)
        os.close(self._pidfd)
        os.close(self._output)
        if self._cgroup is not None:
            self._cgroup.remove()


async def start(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes,
    limits: Limits,
    on_output: Callable[[bytes], None],
    cgroup: "Cgroup | None" = None,
) -> Process:
    """Start a program in a session of its own.

    `on_output` gets standard output and standard error, mixed as written. `env` is the
    whole environment. Runs as the caller's user.

    Raises:
        HostError: it cannot be started: ``interpreter-missing``, ``not-executable``,
            ``format-unknown`` ... or ``start-failed``.
    """
    output, written = os.pipe2(os.O_CLOEXEC)
    try:
        with open(os.memfd_create("stdin", os.MFD_CLOEXEC), "w+b") as source:
            source.write(stdin)
            source.seek(0)
            popen = await _start_when_free(
                lambda: subprocess.Popen(
                    list(argv),
                    cwd=cwd,
                    env=dict(env),
                    stdin=source,
                    stdout=written,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
    except OSError as error:
        os.close(output)
        code = _START_CODES.get(error.errno or 0, "start-failed")
        raise HostError(code, str(error)[:300]) from error
    finally:
        os.close(written)
    _limit(popen.pid, limits)
    if cgroup is not None:
        cgroup.add(popen.pid)
    return Process(popen, output, on_output, cgroup)


async def _start_when_free(
    start_program: "Callable[[], subprocess.Popen[bytes]]",
) -> "subprocess.Popen[bytes]":
    """Start it once no other process holds its file open for writing.

    One that another thread forks does, until it executes its own program.
    """
    for _ in range(_BUSY_TRIES):
        try:
            return start_program()
        except OSError as error:
            if error.errno != errno.ETXTBSY:
                raise
        await asyncio.sleep(_BUSY_SECONDS)
    return start_program()


class ProgramBeside:
    """A program that lives as long as we do, with our standard error.

    Its standard input is a pipe that closes when we end, however we end.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._popen = subprocess.Popen(
            list(argv), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )

    def is_running(self) -> bool:
        return self._popen.poll() is None

    def stop(self, *, grace_seconds: float) -> None:
        """Ask it to end, and kill it after that time; a second call does nothing."""
        self._popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace_seconds)
        self._popen.kill()
        self._popen.wait()
        if self._popen.stdin is not None:
            self._popen.stdin.close()


def output_of(
    argv: Sequence[str],
    *,
    stdin: bytes,
    cwd: Path,
    user: tuple[int, int],
    seconds: float,
    most_bytes: int,
) -> bytes:
    """What a short-lived program writes, as far as it comes within the bounds.

    `user` is user and group, if other than ours without any of our further groups. It
    has an empty environment, and is dead when this returns. `stdin` fits a pipe.

    Raises:
        HostError: ``start-failed``.
    """
    uid, gid = user
    is_other = uid != os.geteuid()
    try:
        popen = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            user=uid if is_other else None,
            group=gid if is_other else None,
            extra_groups=[] if is_other else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError("start-failed", str(error)[:300]) from error
    timer = threading.Timer(seconds, popen.kill)
    timer.start()
    try:
        with popen:
            if popen.stdin is None or popen.stdout is None:
                return b""
            with contextlib.suppress(BrokenPipeError), popen.stdin as target:
                target.write(stdin)
            output = popen.stdout.read(most_bytes)
            popen.kill()
            return output
    finally:
        timer.cancel()


def start_ticks_of(pid: int) -> int | None:
    """When process `pid` started, in clock ticks since boot; None if it is gone.

    Source: proc_pid_stat(5), field 22.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(b")")[2].split()[19])


def kill_leftover(identity: Identity) -> None:
    """Kill the group of a program that an earlier run of the agent started."""
    if identity.pid > 1 and start_ticks_of(identity.pid) == identity.start_ticks:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(identity.pid, signal.SIGKILL)


def _limit(pid: int, limits: Limits) -> None:
    """A program that is over already needs no limits."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        memory = (limits.memory_bytes, limits.memory_bytes)
        resource.prlimit(pid, resource.RLIMIT_DATA, memory)
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


class Cgroup:
    """A cgroup of one program. Source: cgroups(7), version 2."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            (self._path / "cgroup.procs").write_text(str(pid))

    def kill(self) -> None:
        """Kill everything in it, daemons that left the session included."""
        try:
            (self._path / "cgroup.kill").write_text("1")
        except FileNotFoundError:  # Linux before 5.14
            self._kill_each()

    def remove(self) -> None:
        """Remove it; one that still has a dying process is left to the next boot."""
        with contextlib.suppress(OSError):
            self._path.rmdir()

    def _kill_each(self) -> None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for pid in (self._path / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)


class Cgroups:
    """The part of the tree of cgroups that systemd delegated to this process."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent

    @classmethod
    def delegated(cls) -> "Cgroups | None":
        """Our own part, prepared for children; None where there is none."""
        parent = _own_cgroup()
        if parent is None or not parent.name.endswith(".service"):
            return None
        try:
            own = parent / "agent"
            own.mkdir(exist_ok=True)
            (own / "cgroup.procs").write_text(str(os.getpid()))
            (parent / "cgroup.subtree_control").write_text("+memory +pids")
        except OSError:
            return None
        return cls(parent)

    def make(self, name: str, limits: Limits) -> Cgroup | None:
        """A fresh cgroup; None if the kernel refuses, which `start` can do without."""
        path = self._parent / name
        try:
            path.mkdir(exist_ok=True)
        except OSError:
            return None
        with contextlib.suppress(OSError):  # the memory controller is not there
            (path / "memory.max").write_text(str(limits.memory_bytes))
        return Cgroup(path)


def _own_cgroup() -> Path | None:
    line = Path("/proc/self/cgroup").read_text("ascii").splitlines()[-1]
    if not line.startswith("0::"):
        return None
    for mount in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        fields = mount.split()
        if fields[fields.index("-") + 1] == "cgroup2":
            return Path(fields[4]) / line.removeprefix("0::").lstrip("/")
    return None
