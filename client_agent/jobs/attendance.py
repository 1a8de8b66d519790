"""One job from its lease to its report, whatever happens to network and disk."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from client_agent import verify
from client_agent.backoff import Backoff
from client_agent.clock import Clock, boot_id
from client_agent.errors import AgentError
from client_agent.jobs.blobs import BlobError, Blobs
from client_agent.jobs.journal import Entry, Journal, Result, Step
from client_agent.jobs.masking import Cleaner
from client_agent.jobs.output import Output
from client_agent.jobs.runner import (
    JobRefused,
    Place,
    Prepared,
    Run,
    prepare,
    refusal,
    result_of,
)
from client_agent.jobs.sender import LeaseLost, OutputSender
from client_agent.link_channel import LinkError
from client_agent.portal import Portal, PortalError
from client_agent.protocol import limits
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.jobs import EndReason, JobDocument
from client_agent.protocol.types import Uid
from client_agent.verify import Trust
from client_agent.waiting import happens

log = logging.getLogger(__name__)

_DISK_SECONDS = 5.0
_MOST_SECONDS = 60.0
_RERUN_BYTES = limits.OUTPUT_HEAD_BYTES // 2
"""How much less than usual is kept of a second run: the portal has the first's."""


@dataclass(frozen=True)
class Tools:
    """What every job needs. `changing` is held by the one that changes the system."""

    portal: Portal
    journal: Journal
    blobs: Blobs
    place: Place
    trust: Callable[[], Trust | None]
    changing: asyncio.Lock


class Attendance:
    """Takes one job as far as it can; each step is journalled first."""

    def __init__(self, job: Uid, tools: Tools, *, clock: Clock) -> None:
        self._id = job
        self._tools = tools
        self._journal = tools.journal
        self._clock = clock
        self._run: Run | None = None
        self._sender: OutputSender | None = None
        self._sending: asyncio.Task[None] | None = None
        self._stored: bytes | None = None
        self._hurried = asyncio.Event()
        self._is_stopping = False
        self._lost_lease: Uid | None = None

    async def run(self) -> None:
        """As far as it goes: reported, or less if the agent stops."""
        try:
            await self._go_on()
        finally:
            if self._sending is not None:
                self._sending.cancel()
                await asyncio.gather(self._sending, return_exceptions=True)

    async def _go_on(self) -> None:
        entry = self._entry
        if entry.step in (Step.LEASED, Step.FETCHED):
            if entry.changes_system:
                async with self._tools.changing:
                    await self._execute()
            else:
                await self._execute()
        if self._entry.step is Step.FINISHED:
            await self._report()

    def cancel(self) -> None:
        """Staff cancelled the job, which has started."""
        if self._run is not None:
            self._run.cancel()

    def hurry(self) -> None:
        """There is a new lease or a way to the portal."""
        self._hurried.set()
        if self._sender is not None:
            self._sender.hurry()

    def stop(self) -> None:
        """The agent stops. A script that restarts the computer may end by itself."""
        self._is_stopping = True
        script = self._entry.script
        if script is None or not script.continues_after_restart:
            self.kill()

    def kill(self) -> None:
        if self._run is not None:
            self._run.kill()

    @property
    def _entry(self) -> Entry:
        return self._journal[self._id]

    async def _execute(self) -> None:
        """Up to FINISHED, or less if the agent stops."""
        try:
            job = self._open()
            path = await self._fetch(job)
            prepared = prepare(job, path, self._tools.place)
            if self._is_stopping:
                return
            await self._run_script(prepared)
        except (JobRefused, BlobError, PortalError) as error:
            log.info("job %s refused: %s", self._id, error)
            await self._finish(refusal(error.code, at=self._clock.now()))

    def _open(self) -> JobDocument:
        """The document, checked once more: time may have passed since its lease."""
        trust, signed = self._tools.trust(), self._entry.signed
        if trust is None or signed is None:
            raise JobRefused(ErrorCode.NOT_ENROLLED.value)
        try:
            return verify.open_job(signed, trust, now=self._clock.now())
        except ProtocolError as error:
            raise JobRefused(error.code.value, error.detail) from error

    async def _fetch(self, job: JobDocument) -> Path:
        """The script's file; asks again while the portal cannot be reached."""
        backoff = Backoff(most_seconds=_MOST_SECONDS)
        while True:
            try:
                path = await self._tools.blobs.get(job.script.sha256, self._download)
                if self._entry.step is Step.LEASED:
                    self._journal.move(self._id, Step.FETCHED)
                return path
            except OSError as error:
                raise JobRefused("disk-full", str(error)[:300]) from error
            except (LinkError, PortalError) as error:
                if _is_final(error):
                    raise
                await self._pause(backoff.after_failure(at_least=_asked_wait(error)))
                self._open()

    async def _download(self, sha256: str, sink: Callable[[bytes], object]) -> None:
        script = self._entry.script
        size_bytes = script.size_bytes if script else limits.BLOB_BYTES
        await self._tools.portal.fetch_blob(sha256, sink, size_bytes=size_bytes)

    async def _run_script(self, prepared: Prepared) -> None:
        is_first = self._entry.runs == 0
        less = 0 if is_first else _RERUN_BYTES
        output = Output(
            Cleaner(prepared.secrets.values()),
            head_bytes=limits.OUTPUT_HEAD_BYTES - less,
            tail_bytes=limits.OUTPUT_TAIL_BYTES - less,
        )
        self._sender = self._sender_of(lambda: output.head, 0 if is_first else None)
        run = Run(prepared, self._tools.place, output, self._sender.wake)
        started_at = self._clock.now()
        self._begin(started_at)
        self._run = run
        process = await run.start()
        self._remember_process(process.identity.pid, process.identity.start_ticks)
        self._sending = asyncio.create_task(self._sender.run())
        reason, status = await run.wait()
        if run.was_killed:
            return
        self._stored = output.close()
        finished_at = self._clock.now()
        result = result_of(
            reason,
            status,
            self._stored,
            started_at=started_at,
            finished_at=finished_at,
        )
        await self._finish(result)

    def _begin(self, started_at: object) -> None:
        try:
            self._journal.move(
                self._id,
                Step.STARTED,
                started_at=started_at,
                boot_id=boot_id(),
                runs=self._entry.runs + 1,
                pid=0,
            )
        except OSError as error:  # what is not written down must not begin
            raise JobRefused("disk-full", str(error)[:300]) from error

    def _remember_process(self, pid: int, start_ticks: int) -> None:
        try:
            self._journal.change(self._id, pid=pid, start_ticks=start_ticks)
        except OSError as error:
            log.warning("job %s: its process is not written down: %s", self._id, error)

    async def _finish(self, result: Result) -> None:
        """Write down the end, however long the disk needs to take it."""
        while True:
            try:
                if self._stored:
                    self._journal.keep_output(self._id, self._stored)
                self._journal.move(self._id, Step.FINISHED, result=result)
                return
            except OSError as error:
                log.warning("job %s: its end is not written down: %s", self._id, error)
                await asyncio.sleep(_DISK_SECONDS)

    async def _report(self) -> None:
        """Bring output and result to the portal and write down that it has them."""
        result = self._entry.result
        if result is None:
            return
        await self._wait_for_lease()
        stored = self._stored
        if stored is None:
            stored = self._journal.output_of(self._id)
        if stored or result.reason is not EndReason.REFUSED:
            await self._send_rest(stored)
        await self._send_result(result)
        try:
            self._journal.move(self._id, Step.REPORTED, signed=None)
            self._journal.drop_output(self._id)
        except OSError as error:  # it is reported once more after the next start
            log.warning("job %s: no disk space: %s", self._id, error)

    async def _send_rest(self, stored: bytes) -> None:
        if self._sender is None:
            base = 0 if self._entry.runs <= 1 else self._entry.output_base
            self._sender = self._sender_of(lambda: stored, base)
        else:
            self._sender.replace(lambda: stored)
        self._sender.close()
        while True:
            try:
                await (self._sending or self._sender.run())
                return
            except LeaseLost:
                self._sending = None
                self._lost_lease = self._entry.lease_id
                await self._wait_for_lease()

    def _sender_of(
        self, printed: Callable[[], bytes], base: int | None
    ) -> OutputSender:
        return OutputSender(
            self._tools.portal,
            entry=lambda: self._entry,
            printed=printed,
            base=base,
            found_base=self._remember_base,
        )

    def _remember_base(self, base: int) -> None:
        try:
            self._journal.change(self._id, output_base=base)
        except OSError as error:
            log.warning("job %s: no disk space: %s", self._id, error)

    async def _send_result(self, result: Result) -> None:
        backoff = Backoff(most_seconds=_MOST_SECONDS)
        while True:
            lease_id = await self._wait_for_lease()
            output_bytes = self._sender.stored_bytes if self._sender else 0
            try:
                await self._tools.portal.send_result(
                    self._id, result.request(lease_id, output_bytes=output_bytes)
                )
                return
            except (LinkError, PortalError) as error:
                if error.code == ErrorCode.JOB_UNKNOWN.value:
                    return
                if error.code == ErrorCode.LEASE_LOST.value:
                    self._lost_lease = lease_id
                else:
                    wait = backoff.after_failure(at_least=_asked_wait(error))
                    await self._pause(wait)

    async def _wait_for_lease(self) -> Uid:
        """The lease to report with; a lost one comes anew, or the entry is purged."""
        while True:
            lease_id = self._entry.lease_id
            if lease_id is not None and lease_id != self._lost_lease:
                return lease_id
            await self._hurried.wait()
            self._hurried.clear()

    async def _pause(self, seconds: float) -> None:
        await happens(self._hurried, within=seconds)
        self._hurried.clear()


def _is_final(error: AgentError) -> bool:
    """Whether asking again cannot help."""
    return error.code in (
        ErrorCode.BLOB_UNKNOWN.value,
        ErrorCode.NOT_FOUND.value,
        ErrorCode.BODY_TOO_LARGE.value,
    )


def _asked_wait(error: AgentError) -> float:
    return float(error.retry_seconds) if isinstance(error, PortalError) else 0.0
