"""The journal: every step on disk first, and no step twice."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client_agent.host import files
from client_agent.jobs import journal as journal_module
from client_agent.jobs.journal import Entry, Journal, Result, Step, TransitionRefused
from client_agent.protocol.jobs import EndReason

AT = datetime(2026, 1, 1, tzinfo=UTC)
ALLOWED = {
    ("leased", "fetched"),
    ("leased", "finished"),
    ("fetched", "started"),
    ("fetched", "finished"),
    ("started", "fetched"),
    ("started", "finished"),
    ("finished", "reported"),
    ("reported", "finished"),
}


def entry(job: UUID | None = None, step: Step = Step.LEASED) -> Entry:
    return Entry(
        id=job or uuid4(),
        step=step,
        lease_id=uuid4(),
        lease_seconds=60,
        not_before=AT,
        not_after=AT + timedelta(hours=1),
    )


@pytest.mark.parametrize("before", Step)
@pytest.mark.parametrize("after", Step)
def test_each_pair_of_steps(tmp_path: Path, before: Step, after: Step) -> None:
    journal, made = Journal(tmp_path), entry(step=before)
    journal.add(made)
    if (before.value, after.value) in ALLOWED:
        assert journal.move(made.id, after).step is after
        assert Journal(tmp_path)[made.id].step is after
    else:
        with pytest.raises(TransitionRefused):
            journal.move(made.id, after)
        assert Journal(tmp_path)[made.id].step is before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(Step), max_size=12))
def test_disk_and_memory_agree_after_any_steps(
    tmp_path: Path, steps: list[Step]
) -> None:
    journal, made = Journal(tmp_path), entry()
    journal.add(made)
    for step in steps:
        try:
            journal.move(made.id, step, runs=journal[made.id].runs + 1)
        except TransitionRefused:
            continue
    assert Journal(tmp_path)[made.id] == journal[made.id]


def test_a_known_job_is_not_added_again(tmp_path: Path) -> None:
    journal, made = Journal(tmp_path), entry()
    journal.add(made)
    with pytest.raises(TransitionRefused):
        Journal(tmp_path).add(entry(made.id))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100))
def test_any_file_is_a_lost_job_or_an_entry(tmp_path: Path, raw: bytes) -> None:
    job = uuid4()
    (tmp_path / f"{job}.json").write_bytes(raw)
    journal = Journal(tmp_path)
    assert journal.damaged == [job]
    found = journal[job]
    assert found.step is Step.FINISHED
    assert found.result is not None
    assert found.result.reason is EndReason.LOST
    (tmp_path / f"{job}.json").unlink()


def test_ids_are_kept_a_day_longer_than_valid(tmp_path: Path) -> None:
    journal, made = Journal(tmp_path), entry()
    journal.add(made)
    result = Result(reason=EndReason.LOST, finished_at=AT)
    journal.move(made.id, Step.FINISHED, result=result)
    journal.keep_output(made.id, b"output")
    assert journal.purge(made.not_after + timedelta(hours=23)) == []
    assert journal.output_of(made.id) == b"output"
    assert journal.purge(made.not_after + timedelta(hours=25)) == [made.id]
    assert made.id not in Journal(tmp_path)
    assert not list(tmp_path.glob("*.output"))


def test_started_job_is_not_purged(tmp_path: Path) -> None:
    journal, made = Journal(tmp_path), entry(step=Step.STARTED)
    journal.add(made)
    assert journal.purge(AT + timedelta(days=400)) == []


def test_full_disk_still_takes_the_end_of_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reserve is given up for it; without one nothing changes."""
    journal, made = Journal(tmp_path), entry()
    journal.add(made)
    real = files.write_atomically

    def full(path: Path, data: bytes, **options: Any) -> None:
        if (tmp_path / "reserve").exists():
            raise OSError(28, "no space")
        real(path, data, **options)

    monkeypatch.setattr(journal_module, "write_atomically", full)
    assert journal.move(made.id, Step.FINISHED).step is Step.FINISHED

    def full_for_good(path: Path, data: bytes, **options: Any) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(journal_module, "write_atomically", full_for_good)
    with pytest.raises(OSError, match="no space"):
        journal.move(made.id, Step.REPORTED)
    assert journal[made.id].step is Step.FINISHED
    on_disk = json.loads((tmp_path / f"{made.id}.json").read_bytes())
    assert on_disk["step"] == "finished"
