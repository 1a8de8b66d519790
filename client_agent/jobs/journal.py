"""What became of each job, on disk before it happens.

One file for each job. A job that is known is never run again unless its script is
declared idempotent; ids are kept a day longer than their documents are valid.
"""

import enum
import errno
import logging
import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import msgspec

from client_agent.host.files import read_or_none, write_atomically
from client_agent.protocol.jobs import EndReason, ResultRequest, ScriptReference
from client_agent.protocol.signed import Signed
from client_agent.protocol.types import Json, Moment, Uid

log = logging.getLogger(__name__)

_KEPT_LONGER = timedelta(days=1)
_DAMAGED_KEPT = timedelta(days=60)
"""For a file that does not tell how long its job is valid."""

_RESERVE_BYTES = 256 * 1024
"""Set aside, so that a full disk does not keep the end of a job from being noted."""


class Step(str, enum.Enum):
    """How far a job has come."""

    LEASED = "leased"
    FETCHED = "fetched"
    STARTED = "started"
    FINISHED = "finished"
    REPORTED = "reported"


_NEXT: Mapping[Step, frozenset[Step]] = {
    Step.LEASED: frozenset({Step.FETCHED, Step.FINISHED}),
    Step.FETCHED: frozenset({Step.STARTED, Step.FINISHED}),
    Step.STARTED: frozenset({Step.FETCHED, Step.FINISHED}),
    Step.FINISHED: frozenset({Step.REPORTED}),
    Step.REPORTED: frozenset({Step.FINISHED}),
}
"""Back from started: it runs again. Back from reported: it is leased once more."""


class TransitionRefused(Exception):
    """A step that must not follow the one before."""


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a job ended; becomes a `ResultRequest` with the lease of the moment."""

    reason: EndReason
    finished_at: Moment
    started_at: Moment | None = None
    exit_status: int | None = None
    code: str = ""
    fields: dict[str, Json] = {}

    def request(self, lease_id: Uid, *, output_bytes: int) -> ResultRequest:
        return ResultRequest(
            lease_id=lease_id,
            reason=self.reason,
            finished_at=self.finished_at,
            started_at=self.started_at,
            exit_status=self.exit_status,
            code=self.code,
            fields=self.fields,
            output_bytes=output_bytes,
        )


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One job's file. `signed` is its document, verified when it was leased.

    `output_base` is where in the portal's copy this run's output begins, once known.
    """

    id: Uid
    step: Step
    lease_id: Uid | None
    lease_seconds: int
    not_before: Moment
    not_after: Moment
    script: ScriptReference | None = None
    signed: Signed | None = None
    is_cancelled: bool = False
    runs: int = 0
    started_at: Moment | None = None
    boot_id: str = ""
    pid: int = 0
    start_ticks: int = 0
    output_base: int | None = None
    result: Result | None = None

    @property
    def is_open(self) -> bool:
        return self.step is not Step.REPORTED

    @property
    def changes_system(self) -> bool:
        return self.script is None or self.script.risk.value != "reads"


class Journal:
    """The entries of one computer, in memory and on disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._entries: dict[Uid, Entry] = {}
        self.damaged: list[Uid] = []
        """Jobs whose files were found unreadable; they end as lost."""
        for path in sorted(directory.glob("*.json")):
            self._load(path)
        self._set_aside()

    def __contains__(self, job: Uid) -> bool:
        return job in self._entries

    def __getitem__(self, job: Uid) -> Entry:
        return self._entries[job]

    def open_entries(self) -> list[Entry]:
        """Those of which the portal does not know the end, oldest first."""
        entries = [entry for entry in self._entries.values() if entry.is_open]
        return sorted(entries, key=lambda entry: entry.not_before)

    def newest_document(self) -> datetime | None:
        """When the youngest job document became valid: it is later than that now."""
        return max((e.not_before for e in self._entries.values()), default=None)

    def add(self, entry: Entry) -> None:
        """Write a new job down.

        Raises:
            TransitionRefused: it is known.
            OSError: it could not be written and is not known.
        """
        if entry.id in self._entries:
            raise TransitionRefused(f"{entry.id} is known")
        self._put(entry)

    def move(self, job: Uid, to: Step, **changes: object) -> Entry:
        """Write down that `job` came to a step, with other fields that change.

        Raises:
            TransitionRefused: that step does not follow.
            OSError: it could not be written; nothing changed.
        """
        entry = self._entries[job]
        if to not in _NEXT[entry.step]:
            raise TransitionRefused(f"{entry.step.value} to {to.value}")
        return self._put(msgspec.structs.replace(entry, step=to, **changes))

    def change(self, job: Uid, **changes: object) -> Entry:
        """Write down other fields than the step; errors as in `move`."""
        return self._put(msgspec.structs.replace(self._entries[job], **changes))

    def keep_output(self, job: Uid, output: bytes) -> None:
        """Keep what a job printed until the portal has it."""
        self._write(self._output_path(job), output)

    def output_of(self, job: Uid) -> bytes:
        """What `keep_output` kept; empty without it."""
        return read_or_none(self._output_path(job)) or b""

    def drop_output(self, job: Uid) -> None:
        self._output_path(job).unlink(missing_ok=True)

    def purge(self, now: datetime) -> list[Uid]:
        """Forget jobs whose documents have been invalid for a day; which they were."""
        self._set_aside()
        purged = []
        for entry in list(self._entries.values()):
            if entry.step is Step.STARTED or now <= entry.not_after + _KEPT_LONGER:
                continue
            self.drop_output(entry.id)
            self._path(entry.id).unlink(missing_ok=True)
            del self._entries[entry.id]
            purged.append(entry.id)
        return purged

    def _put(self, entry: Entry) -> Entry:
        data = msgspec.json.encode(entry)
        self._write(self._path(entry.id), data)
        self._entries[entry.id] = entry
        return entry

    def _write(self, path: Path, data: bytes) -> None:
        try:
            write_atomically(path, data, mode=0o600)
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._reserve.exists():
                raise
            self._reserve.unlink()
            write_atomically(path, data, mode=0o600)

    def _set_aside(self) -> None:
        if self._reserve.exists():
            return
        try:
            with self._reserve.open("xb") as target:
                os.posix_fallocate(target.fileno(), 0, _RESERVE_BYTES)
        except OSError as error:
            log.warning("no disk space can be set aside: %s", error)
            self._reserve.unlink(missing_ok=True)

    @property
    def _reserve(self) -> Path:
        return self._directory / "reserve"

    def _path(self, job: Uid) -> Path:
        return self._directory / f"{job}.json"

    def _output_path(self, job: Uid) -> Path:
        return self._directory / f"{job}.output"

    def _load(self, path: Path) -> None:
        try:
            job = UUID(path.stem)
        except ValueError:  # not one of ours
            return
        try:
            entry = msgspec.json.decode(read_or_none(path) or b"", type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            log.warning("the journal of job %s is damaged: %s", job, error)
            self.damaged.append(job)
            entry = _damaged(job, _written_at(path))
        if entry.id == job:
            self._entries[job] = entry


def _damaged(job: Uid, at: datetime) -> Entry:
    """Stands for a job of which nothing is known but that it was here."""
    return Entry(
        id=job,
        step=Step.FINISHED,
        lease_id=None,
        lease_seconds=60,
        not_before=datetime.fromtimestamp(0, timezone.utc),
        not_after=at + _DAMAGED_KEPT,
        result=Result(reason=EndReason.LOST, finished_at=at, code="journal-damaged"),
    )


def _written_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
