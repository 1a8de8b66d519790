"""The file outside the database in which the heads of all chains are noted.

One JSON object a line, only ever appended to. A line that a power cut tore is left as
it is; the next one begins on a line of its own.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

TAIL_BYTES = 64 * 1024


@dataclass(frozen=True)
class Head:
    """The newest link of a chain at some time; `sealed_at` in ISO 8601."""

    organisation_id: UUID
    number: int
    digest: str
    sealed_at: str


Noted = dict[int, set[str]]
"""Digests by number of the seal; one each, unless the chain was begun anew."""

_known: dict[tuple[Path, UUID], Head] = {}
"""What this process knows to be in the file, so that it seldom has to look."""


def note(path: Path, head: Head) -> None:
    """See to it that `head` is in the file at `path`, on the disk.

    A head may be noted twice, by two workers; that says the same.

    Raises:
        OSError: it cannot be written. The next round tries again.
    """
    key = (path, head.organisation_id)
    if _known.get(key) == head:
        return
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        tail = _tail(descriptor)
        line = _line(head)
        if line not in tail:
            is_torn = bool(tail) and not tail.endswith(b"\n")
            os.write(descriptor, b"\n" + line if is_torn else line)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        _sync_directory(path.parent)
    _known[key] = head


def noted_heads(path: Path) -> dict[UUID, Noted]:
    """What was noted of each organisation; torn lines are left out.

    Raises:
        OSError: the file cannot be read.
    """
    found: dict[UUID, Noted] = {}
    with path.open("rb") as file:
        for line in file:
            head = _parsed(line)
            if head is not None:
                noted = found.setdefault(head.organisation_id, {})
                noted.setdefault(head.number, set()).add(head.digest)
    return found


def _line(head: Head) -> bytes:
    fields = {
        "organisation": str(head.organisation_id),
        "number": head.number,
        "digest": head.digest,
        "sealed_at": head.sealed_at,
    }
    return json.dumps(fields).encode("ascii") + b"\n"


def _parsed(line: bytes) -> Head | None:
    try:
        fields = json.loads(line)
        return Head(
            organisation_id=UUID(fields["organisation"]),
            number=int(fields["number"]),
            digest=str(fields["digest"]),
            sealed_at=str(fields["sealed_at"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _tail(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
