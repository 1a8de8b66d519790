"""All jobs of this computer: taken from the portal, run in turn, reported."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from client_agent import verify
from client_agent.clock import Clock, boot_id
from client_agent.host.files import read_or_none, write_atomically
from client_agent.host.process import Cgroups, Identity, kill_leftover
from client_agent.jobs.attendance import Attendance, Tools
from client_agent.jobs.blobs import Blobs
from client_agent.jobs.journal import Entry, Journal, Result, Step
from client_agent.jobs.runner import Place, refusal
from client_agent.link_channel import LinkError
from client_agent.paths import Paths
from client_agent.portal import Portal, PortalError
from client_agent.protocol import codec
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.jobs import EndReason, JobDocument, Lease, LeaseRequest
from client_agent.protocol.types import Json, Uid
from client_agent.verify import Trust

log = logging.getLogger(__name__)

_AT_ONCE = 4
"""Jobs that are leased and not over; more wait at the portal."""

_MOST_RUNS = 3
"""An idempotent job that never gets to its end is lost after so many starts."""

_KILL_SECONDS = 0.5

JOB_OVER = "job-over"


@dataclass(frozen=True)
class Callbacks:
    """What the queue tells its owner."""

    note: Callable[[str, Mapping[str, Json]], None]
    """An event for the portal: code and arguments."""
    job_ended: Callable[[], None]
    """There may be room for another job."""


class JobQueue:
    """Runs what the portal leases: one that changes the system at a time."""

    def __init__(
        self, tools: Tools, *, paths: Paths, clock: Clock, callbacks: Callbacks
    ) -> None:
        self._tools = tools
        self._paths = paths
        self._clock = clock
        self._callbacks = callbacks
        self._journal = tools.journal
        self._attended: dict[Uid, Attendance] = {}
        self._tasks: dict[Uid, asyncio.Task[None]] = {}
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(paths.secrets_dir)

    @property
    def active(self) -> int:
        """Jobs that are leased and not over."""
        return sum(e.step not in _OVER for e in self._journal.open_entries())

    def resume(self) -> None:
        """After the agent's start: settle what a crash or a restart left behind."""
        for job in self._journal.damaged:
            self._callbacks.note("journal-damaged", {"job": str(job)})
        for entry in self._journal.open_entries():
            try:
                if entry.step is Step.STARTED:
                    self._settle(entry)
            except OSError as error:  # settled after the next start
                log.warning("job %s cannot be settled: %s", entry.id, error)
            self._attend(entry.id)

    async def lease(self, trust: Trust) -> bool:
        """Take what there is room for; whether there may be more.

        Raises:
            LinkError, PortalError: nothing came; the same request is repeated next.
        """
        room = _AT_ONCE - self.active
        if room <= 0:
            return False
        request = self._stored_request()
        if request is None:
            request = LeaseRequest(request_id=uuid4(), limit=room)
            self._store_request(request)
        answer = await self._tools.portal.lease(request)
        for lease in answer.leases:
            await self._admit(lease, trust)
        self._paths.lease_request.unlink(missing_ok=True)
        return len(answer.leases) >= request.limit

    def cancel(self, job: Uid) -> str:
        """Cancel a job; a code if there is nothing to cancel."""
        if job not in self._journal:
            return ErrorCode.JOB_UNKNOWN.value
        entry = self._journal[job]
        if entry.step in _OVER:
            return JOB_OVER
        if entry.step is Step.STARTED:
            self._journal.change(job, is_cancelled=True)
            self._attended[job].cancel()
        else:
            now = self._clock.now()
            result = Result(reason=EndReason.CANCELLED, finished_at=now)
            self._journal.move(job, Step.FINISHED, result=result)
            self._tasks[job].cancel()
            self._attend(job)
        return ""

    def hurry(self) -> None:
        """There is a way to the portal again."""
        for attendance in self._attended.values():
            attendance.hurry()

    async def stop(self, *, grace_seconds: float) -> None:
        """End scripts; those that restart the computer, and reports, get the grace."""
        for attendance in self._attended.values():
            attendance.stop()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=grace_seconds)
        for attendance in self._attended.values():
            attendance.kill()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_KILL_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _settle(self, entry: Entry) -> None:
        """Decide about a job that had started when the agent ended."""
        if entry.pid:
            kill_leftover(Identity(entry.pid, entry.start_ticks))
        script = entry.script
        is_other_boot = entry.boot_id != boot_id()
        now = self._clock.now()
        if script and script.continues_after_restart and is_other_boot:
            result = Result(
                reason=EndReason.EXIT,
                finished_at=now,
                started_at=entry.started_at,
                exit_status=0,
            )
        elif entry.is_cancelled:
            result = Result(reason=EndReason.CANCELLED, finished_at=now)
        elif script and script.is_idempotent and entry.runs < _MOST_RUNS:
            self._journal.move(entry.id, Step.FETCHED)
            return
        else:
            result = Result(
                reason=EndReason.LOST,
                finished_at=now,
                started_at=entry.started_at,
                code="computer-restarted" if is_other_boot else "agent-restarted",
            )
            self._callbacks.note("job-lost", {"job": str(entry.id)})
        self._journal.move(entry.id, Step.FINISHED, result=result)

    async def _admit(self, lease: Lease, trust: Trust) -> None:
        try:
            job = verify.open_job_of_any_time(lease.job, trust)
        except ProtocolError as error:
            await self._send_away(lease, error.code.value)
            return
        if job.id in self._journal:
            self._adopt(lease, job.id)
            return
        try:
            self._journal.add(_entry_of(lease, job))
        except OSError as error:
            log.warning("a job cannot be written down: %s", error)
            await self._send_away(lease, "disk-full")
            return
        self._refuse_out_of_time(job, lease, trust)
        self._attend(job.id)

    def _refuse_out_of_time(self, job: JobDocument, lease: Lease, trust: Trust) -> None:
        now = self._clock.now()
        try:
            verify.open_job(lease.job, trust, now=now)
        except ProtocolError as error:
            result = refusal(error.code.value, at=now)
            self._journal.move(job.id, Step.FINISHED, result=result)

    def _adopt(self, lease: Lease, job: Uid) -> None:
        """A job that is known was leased again: the portal missed something."""
        self._journal.change(
            job, lease_id=lease.lease_id, lease_seconds=lease.lease_seconds
        )
        if self._journal[job].step is Step.REPORTED:
            self._journal.move(job, Step.FINISHED)
        if job in self._attended:
            self._attended[job].hurry()
        else:
            self._attend(job)

    async def _send_away(self, lease: Lease, code: str) -> None:
        """Refuse a job that the journal must not or cannot know."""
        now = self._clock.now()
        try:
            job = msgspec.json.decode(lease.job.payload, type=_Named).id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            job = None
        self._callbacks.note("job-refused", {"job": str(job), "code": code})
        if job is None or job in self._journal:
            return
        request = refusal(code, at=now).request(lease.lease_id, output_bytes=0)
        try:
            await self._tools.portal.send_result(job, request)
        except (LinkError, PortalError) as error:
            log.info("a refusal did not arrive: %s", error.code)

    def _attend(self, job: Uid) -> None:
        attendance = Attendance(job, self._tools, clock=self._clock)
        self._attended[job] = attendance
        task = asyncio.create_task(attendance.run(), name=f"job {job}")
        self._tasks[job] = task
        task.add_done_callback(lambda done: self._note_end(job, done))

    def _note_end(self, job: Uid, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("job %s: its attendance failed", job, exc_info=error)
            self._callbacks.note("job-attendance-failed", {"job": str(job)})
        if self._tasks.get(job) is task:
            del self._tasks[job]
            del self._attended[job]
            self._callbacks.job_ended()

    def purge(self, now: datetime) -> None:
        """Forget what can be forgotten, unreported results of long ago included."""
        for job in self._journal.purge(now):
            if job in self._tasks:
                self._tasks[job].cancel()

    def _stored_request(self) -> LeaseRequest | None:
        raw = read_or_none(self._paths.lease_request)
        if raw is None:
            return None
        try:
            return codec.decode(LeaseRequest, raw)
        except ProtocolError:  # torn: its answer cannot be asked for again
            return None

    def _store_request(self, request: LeaseRequest) -> None:
        data = codec.encode(request)
        try:
            write_atomically(self._paths.lease_request, data, mode=0o600)
        except OSError as error:
            log.warning("a lease request cannot be written down: %s", error)


class _Named(msgspec.Struct):
    """The one field that is read of a document that is not to be believed."""

    id: Uid


_OVER = (Step.FINISHED, Step.REPORTED)


def _entry_of(lease: Lease, job: JobDocument) -> Entry:
    return Entry(
        id=job.id,
        step=Step.LEASED,
        lease_id=lease.lease_id,
        lease_seconds=lease.lease_seconds,
        not_before=job.not_before,
        not_after=job.not_after,
        script=job.script,
        signed=lease.job,
    )


def open_queue(
    paths: Paths,
    portal: Portal,
    *,
    clock: Clock,
    seal_key: X25519PrivateKey,
    trust: Callable[[], Trust | None],
    callbacks: Callbacks,
) -> JobQueue:
    """The queue of one computer, with what its journal knows; `clock` learns of it."""
    journal = Journal(paths.journal_dir)
    newest = journal.newest_document()
    if newest is not None:
        clock.raise_floor(newest)
    place = Place(
        root=paths.root,
        secrets_dir=paths.secrets_dir,
        seal_key=seal_key,
        cgroups=None if paths.is_sandbox else Cgroups.delegated(),
    )
    blobs = Blobs(paths.blob_dir)
    tools = Tools(portal, journal, blobs, place, trust, changing=asyncio.Lock())
    return JobQueue(tools, paths=paths, clock=clock, callbacks=callbacks)
