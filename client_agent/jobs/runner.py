"""One script of one job: checked, started, followed and ended."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from client_agent.errors import AgentError
from client_agent.host.errors import HostError
from client_agent.host.process import Cgroups, Limits, Process, start
from client_agent.jobs.journal import Result
from client_agent.jobs.output import Output, fields_of
from client_agent.protocol import codec, limits
from client_agent.protocol.errors import ProtocolError
from client_agent.protocol.jobs import EndReason, JobDocument, RunAs
from client_agent.protocol.sealing import unseal
from client_agent.scriptlib.interpreter import argv_for, env_for

ARGUMENTS_BYTES = 256 * 1024
_HEAD_BYTES = 4096
_BEGINNINGS = (b"#!", b"\x7fELF")


class JobRefused(AgentError):
    """The job must not or cannot be run; `code` goes to the portal."""


@dataclass(frozen=True)
class Place:
    """Where scripts run: below `root`, with secrets in `secrets_dir` (RAM)."""

    root: Path
    secrets_dir: Path
    seal_key: X25519PrivateKey
    cgroups: Cgroups | None = None


@dataclass(frozen=True)
class Prepared:
    """A job that passed every check, ready to start."""

    job: JobDocument
    executable: Path
    head: bytes
    stdin: bytes
    secrets: Mapping[str, bytes]


def prepare(job: JobDocument, executable: Path, place: Place) -> Prepared:
    """Check what the portal checked before, and the file itself.

    Raises:
        JobRefused: ``arguments-too-large``, ``seal-invalid``, ``secret-too-large``,
            ``run-as-unavailable``, ``script-empty``, ``script-without-shebang``.
    """
    if job.script.run_as is not RunAs.ROOT:
        raise JobRefused("run-as-unavailable", job.script.run_as.value)
    stdin = codec.encode(job.arguments)
    if len(stdin) > ARGUMENTS_BYTES:
        raise JobRefused("arguments-too-large", f"{len(stdin)} bytes")
    with executable.open("rb") as source:
        head = source.read(_HEAD_BYTES)
    if not head:
        raise JobRefused("script-empty")
    if not head.startswith(_BEGINNINGS):
        raise JobRefused("script-without-shebang")
    return Prepared(job, executable, head, stdin, _unsealed(job, place))


def _unsealed(job: JobDocument, place: Place) -> dict[str, bytes]:
    secrets = {}
    for name, sealed in job.secrets.items():
        try:
            secrets[name] = unseal(
                sealed,
                key=place.seal_key,
                computer=job.computer,
                place=f"job:{job.id}:{name}",
            )
        except ProtocolError as error:
            raise JobRefused(error.code.value, name) from error
        if len(secrets[name]) > limits.SECRET_BYTES:
            raise JobRefused("secret-too-large", name)
    return secrets


class Run:
    """A script while it runs. `output` collects what it prints, in order."""

    def __init__(
        self, prepared: Prepared, place: Place, output: Output, wake: Callable[[], None]
    ) -> None:
        self._prepared = prepared
        self._place = place
        self._output = output
        self._wake = wake
        self._process: Process | None = None
        self._reason = EndReason.EXIT
        self.was_killed = False

    async def start(self) -> Process:
        """Start the script.

        Raises:
            JobRefused: it cannot be started.
        """
        prepared, place = self._prepared, self._place
        job_limits = Limits(memory_bytes=prepared.job.limit_memory_bytes)
        name = f"job-{prepared.job.id}"
        try:
            credentials = self._write_secrets()
        except OSError as error:
            raise JobRefused("disk-full", str(error)[:300]) from error
        env = env_for(place.root, credentials=credentials)
        if credentials is not None:
            env["CITIZENPC_SECRETS_DIR"] = str(credentials)
        try:
            self._process = await start(
                argv_for(prepared.executable, prepared.head),
                cwd=place.root,
                env=env,
                stdin=prepared.stdin,
                limits=job_limits,
                on_output=self._take,
                cgroup=place.cgroups.make(name, job_limits) if place.cgroups else None,
            )
        except HostError as error:
            self._remove_secrets()
            raise JobRefused(error.code, error.detail) from error
        if self.was_killed:  # meanwhile
            self._process.kill()
        elif self._reason is not EndReason.EXIT:
            self._process.end()
        return self._process

    async def wait(self) -> tuple[EndReason, int]:
        """How the script ended, and its exit status; at the limit it is ended."""
        if self._process is None:
            raise RuntimeError("not started")
        loop = asyncio.get_running_loop()
        limit = loop.call_later(
            self._prepared.job.limit_seconds, self._end, EndReason.TIMEOUT
        )
        try:
            status = await self._process.wait()
        finally:
            limit.cancel()
            self._remove_secrets()
        return self._reason, status

    def cancel(self) -> None:
        """End the script because staff said so."""
        self._end(EndReason.CANCELLED)

    def kill(self) -> None:
        """Kill the script because the agent itself stops."""
        self.was_killed = True
        if self._process is not None:
            self._process.kill()

    def _end(self, reason: EndReason) -> None:
        if self._reason is EndReason.EXIT:
            self._reason = reason
            if self._process is not None:
                self._process.end()

    def _take(self, data: bytes) -> None:
        self._output.feed(data)
        self._wake()

    @property
    def _secrets_dir(self) -> Path:
        return self._place.secrets_dir / str(self._prepared.job.id)

    def _write_secrets(self) -> Path | None:
        if not self._prepared.secrets:
            return None
        self._remove_secrets()
        self._place.secrets_dir.mkdir(mode=0o700, exist_ok=True)
        self._secrets_dir.mkdir(mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        for name, value in self._prepared.secrets.items():
            with open(os.open(self._secrets_dir / name, flags, 0o400), "wb") as target:
                target.write(value)
        return self._secrets_dir

    def _remove_secrets(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._secrets_dir)


def result_of(
    reason: EndReason,
    status: int,
    stored: bytes,
    *,
    started_at: datetime | None,
    finished_at: datetime,
) -> Result:
    """What the portal is told of a script that ran."""
    has_ended_itself = reason is EndReason.EXIT
    return Result(
        reason=reason,
        finished_at=finished_at,
        started_at=started_at,
        exit_status=status if has_ended_itself else None,
        fields=fields_of(stored) if has_ended_itself else {},
    )


def refusal(code: str, *, at: datetime) -> Result:
    """What the portal is told of a job that was not run."""
    return Result(reason=EndReason.REFUSED, finished_at=at, code=code)
