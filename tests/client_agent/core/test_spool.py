"""The spool: nothing acknowledged is lost, whatever happens to its file."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client_agent import spool as spool_module
from client_agent.protocol.reports import (
    Compliance,
    ComplianceRecord,
    EventRecord,
    Record,
)
from client_agent.protocol.types import Json
from client_agent.spool import Spool

_tails = st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b""))
"""What a disk may put where data never arrived."""

AT = datetime(2026, 1, 1, tzinfo=UTC)


def note(spool: Spool, code: str, **arguments: Json) -> None:
    spool.add(
        lambda seq: EventRecord(seq=seq, at=AT, code=code, arguments=dict(arguments)),
        at=AT,
    )


def codes(spool: Spool) -> list[str]:
    found = []
    while batch := spool.batch():
        found += [record.code for record in batch.records]
        spool.acknowledge(batch.stream, batch.records[-1].seq)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool" / "records"


def test_records_survive_and_are_numbered(path: Path) -> None:
    spool = Spool(path)
    note(spool, "a")
    note(spool, "b")
    batch = Spool(path).batch()
    assert batch == spool.batch()
    assert batch is not None
    assert [(r.seq, r.code) for r in batch.records] == [(1, "a"), (2, "b")]


def test_only_the_acknowledged_is_deleted(path: Path) -> None:
    spool = Spool(path)
    for code in "abc":
        note(spool, code)
    stream = spool.batch().stream  # type: ignore[union-attr]
    spool.acknowledge(uuid4(), 3)
    spool.acknowledge(stream, 0)
    assert len(spool) == 3
    spool.acknowledge(stream, 2)
    again = Spool(path)
    assert codes(again) == ["c"]
    note(again, "d")
    batch = again.batch()
    assert batch is not None
    assert (batch.stream, batch.records[0].seq) == (stream, 4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1000), _tails, st.integers(0, 2))
def test_any_truncation_keeps_what_was_before_it(
    path: Path, length: int, tail: bytes, acknowledged: int
) -> None:
    path.unlink(missing_ok=True)
    spool = Spool(path)
    for code in "abcde":
        note(spool, code)
    stream = spool.batch().stream  # type: ignore[union-attr]
    spool.acknowledge(stream, acknowledged)
    raw = path.read_bytes()
    length = min(length, len(raw))
    path.write_bytes(raw[:length] + tail)
    after = Spool(path)
    whole = raw[:length].count(b"\n")
    expected = list("abcde"[acknowledged:])[: max(0, whole - 1)]
    note(after, "new")
    batch = after.batch()
    assert batch is not None
    assert [r.code for r in batch.records] == [*expected, "new"]
    first = batch.records[0].seq
    assert [r.seq for r in batch.records] == list(
        range(first, first + len(expected) + 1)
    )
    is_damaged = tail or not raw[:length].endswith(b"\n")
    assert (batch.stream != stream) == bool(is_damaged)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_file_is_a_spool(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    spool = Spool(path)
    note(spool, "new")
    assert codes(Spool(path)) == ["new"]


def test_overflow_drops_oldest_events_and_says_so(path: Path) -> None:
    spool = Spool(path, most_bytes=4000)
    spool.add(
        lambda seq: ComplianceRecord(
            seq=seq, at=AT, setting="s", status=Compliance.FAILED, revision=1
        ),
        at=AT,
    )
    for number in range(200):
        note(spool, "e", number=number)
    assert path.stat().st_size < 8000
    records: list[Record] = []
    while batch := spool.batch():
        records += batch.records
        spool.acknowledge(batch.stream, batch.records[-1].seq)
    assert any(isinstance(record, ComplianceRecord) for record in records)
    dropped = [
        r.arguments["count"]
        for r in records
        if isinstance(r, EventRecord) and r.code == "reports-dropped"
    ]
    kept = [
        r.arguments["number"]
        for r in records
        if isinstance(r, EventRecord) and r.code == "e"
    ]
    assert dropped
    assert kept[-1] == 199
    assert kept == list(range(200 - len(kept), 200))


def test_gap_is_filled_or_a_new_stream_begins(path: Path) -> None:
    spool = Spool(path)
    for code in "abc":
        note(spool, code)
    stream = spool.batch().stream  # type: ignore[union-attr]
    spool.fill_gap(stream, 2)
    assert [r.code for r in spool.batch().records] == ["b", "c"]  # type: ignore[union-attr]
    spool.fill_gap(stream, 1)
    batch = spool.batch()
    assert batch is not None
    assert batch.stream != stream
    assert [(r.seq, r.code) for r in batch.records] == [(1, "b"), (2, "c")]


def test_portal_that_knows_more_begins_a_new_stream(path: Path) -> None:
    """A tail that a power cut took was sent before: its numbers must not return."""
    spool = Spool(path)
    note(spool, "a")
    stream = spool.batch().stream  # type: ignore[union-attr]
    spool.acknowledge(stream, 7)
    batch = Spool(path).batch()
    assert batch is not None
    assert batch.stream != stream
    assert [(r.seq, r.code) for r in batch.records] == [(1, "a")]


def test_full_disk_keeps_records_in_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(path)
    note(spool, "a")
    stream = spool.batch().stream  # type: ignore[union-attr]

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as patched:
        patched.setattr(spool_module, "write_atomically", refuse)
        patched.setattr(Spool, "_append", refuse)
        note(spool, "b")
        note(spool, "c")
        batch = spool.batch()
        assert batch is not None
        assert batch.stream != stream
        assert [r.code for r in batch.records] == ["a", "b", "c"]
    note(spool, "d")
    assert codes(Spool(path)) == ["a", "b", "c", "d"]


def test_batches_are_bounded(path: Path) -> None:
    spool = Spool(path)
    for number in range(250):
        note(spool, "e", text="x" * 5000, number=number)
    batch = spool.batch()
    assert batch is not None
    assert len(batch.records) < 150
    assert len(codes(spool)) == 250
