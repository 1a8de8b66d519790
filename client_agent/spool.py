"""Reports that wait for the portal, safe from power cuts and full disks.

One file: a header line, then one line per record, each with its CRC-32 before it.
Records are appended with fsync; acknowledged ones go by rewriting the file.
"""

import logging
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec

from client_agent.host.files import read_or_none, write_atomically
from client_agent.protocol import codec, limits
from client_agent.protocol.reports import EventRecord, Record, ReportRequest
from client_agent.protocol.types import Count, Uid

log = logging.getLogger(__name__)

T = TypeVar("T")

SPOOL_BYTES = 4 * 1024 * 1024
_BATCH_BYTES = 512 * 1024


class _Header(msgspec.Struct, frozen=True):
    stream: Uid
    acknowledged: Count


_headers: msgspec.json.Decoder[_Header] = msgspec.json.Decoder(_Header)
_reports: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


@dataclass(frozen=True)
class _Kept:
    record: Record
    line: bytes


class Spool:
    """Records in the order in which they happened, numbered from 1.

    A damaged file, a number that the portal does not expect, or too many records begin
    a new stream with what is left, so that the portal never takes a new record for one
    that it has.
    """

    def __init__(self, path: Path, *, most_bytes: int = SPOOL_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._stream: Uid = uuid4()
        self._acknowledged = 0
        self._records: list[_Kept] = []
        self._is_volatile = False
        self._load()

    def __len__(self) -> int:
        return len(self._records)

    def add(self, make: Callable[[int], Record], *, at: datetime) -> None:
        """Keep the record that `make` returns for its number.

        On a full disk it is kept in memory alone, and written with a later one. Its
        stream is another then: after a power cut its number would be given again.
        """
        kept = _kept(make(self._next_seq()))
        self._records.append(kept)
        try:
            if self._size() > self._most_bytes:
                self._drop_oldest(at)
            elif self._is_volatile:
                self._write()
            else:
                self._append(kept.line)
        except OSError as error:
            log.warning("reports are kept in memory alone: %s", error)
            if not self._is_volatile:
                self._begin_stream(self._records)
                self._is_volatile = True

    def batch(self) -> ReportRequest | None:
        """The oldest records, as many as fit into one request."""
        records: list[Record] = []
        size = 0
        for kept in self._records[: limits.REPORT_RECORDS]:
            size += len(kept.line)
            if records and size > _BATCH_BYTES:
                break
            records.append(kept.record)
        if not records:
            return None
        return ReportRequest(stream=self._stream, records=records)

    def acknowledge(self, stream: Uid, acknowledged: int) -> None:
        """The portal has everything of `stream` up to and including this number."""
        if stream != self._stream:
            return
        if acknowledged >= self._next_seq():  # it knows more than we: a lost tail
            self._begin_stream(self._records)
        elif acknowledged > self._acknowledged:
            self._records = [k for k in self._records if k.record.seq > acknowledged]
            self._acknowledged = acknowledged
        else:
            return
        self._write_if_possible()

    def fill_gap(self, stream: Uid, wanted: int) -> None:
        """The portal wants this number first; without it a new stream begins."""
        if stream != self._stream:
            return
        if self._acknowledged < wanted < self._next_seq():
            self.acknowledge(stream, wanted - 1)
        else:
            self._begin_stream(self._records)
            self._write_if_possible()

    def _next_seq(self) -> int:
        if self._records:
            return self._records[-1].record.seq + 1
        return self._acknowledged + 1

    def _size(self) -> int:
        return sum(len(kept.line) for kept in self._records)

    def _drop_oldest(self, at: datetime) -> None:
        """Make room by a quarter: oldest events first, then whatever is oldest."""
        size, wanted, dropped = self._size(), self._most_bytes * 3 // 4, 0
        by_worth = sorted(
            self._records[:-1],
            key=lambda k: (not isinstance(k.record, EventRecord), k.record.seq),
        )
        gone: set[int] = set()
        for kept in by_worth:
            if size <= wanted:
                break
            size -= len(kept.line)
            gone.add(kept.record.seq)
            dropped += 1
        rest = [k for k in self._records if k.record.seq not in gone]
        notice = EventRecord(
            seq=0, at=at, code="reports-dropped", arguments={"count": dropped}
        )
        self._begin_stream([_kept(notice), *rest])
        self._write()

    def _begin_stream(self, kept: list[_Kept]) -> None:
        self._stream = uuid4()
        self._acknowledged = 0
        self._records = [
            _kept(msgspec.structs.replace(k.record, seq=number))
            for number, k in enumerate(kept, start=1)
        ]

    def _append(self, line: bytes) -> None:
        if not self._path.exists():
            self._write()
            return
        with self._path.open("ab") as target:
            target.write(line)
            target.flush()
            os.fsync(target.fileno())

    def _write(self) -> None:
        header = _Header(self._stream, self._acknowledged)
        lines = [_line(codec.encode(header)), *(k.line for k in self._records)]
        write_atomically(self._path, b"".join(lines), mode=0o600)
        self._is_volatile = False

    def _write_if_possible(self) -> None:
        """What stays on the disk otherwise is sent again, which does no harm."""
        try:
            self._write()
        except OSError as error:
            log.warning("the spool cannot be rewritten: %s", error)
            self._is_volatile = True

    def _load(self) -> None:
        raw = read_or_none(self._path)
        if raw is None:
            return
        payloads = [_payload(line) for line in raw.split(b"\n")[:-1]]
        is_whole = raw.endswith(b"\n") and None not in payloads
        header = _decoded(_headers, payloads[0] if payloads else None)
        records = [_decoded(_reports, payload) for payload in payloads[1:]]
        self._records = [_kept(record) for record in records if record is not None]
        if header is not None:
            self._stream, self._acknowledged = header.stream, header.acknowledged
        if not is_whole or header is None or not self._is_in_sequence():
            log.warning("the spool was damaged; %d reports are left", len(self))
            self._begin_stream(self._records)
            self._write_if_possible()

    def _is_in_sequence(self) -> bool:
        expected = range(self._acknowledged + 1, self._next_seq())
        return [k.record.seq for k in self._records] == list(expected)


def _kept(record: Record) -> _Kept:
    return _Kept(record, _line(codec.encode(record)))


def _line(payload: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(payload), payload)


def _payload(line: bytes) -> bytes | None:
    checksum, _, payload = line.partition(b" ")
    return payload if checksum == b"%08x" % zlib.crc32(payload) else None


def _decoded(decoder: msgspec.json.Decoder[T], payload: bytes | None) -> T | None:
    if payload is None:
        return None
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
