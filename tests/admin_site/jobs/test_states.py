"""Every pair of states of a job and of a run."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest

from admin_site.core.errors import TransitionRefused
from admin_site.core.state_table import checked_transition
from admin_site.jobs.models import Job
from admin_site.jobs.progress import move_job
from admin_site.jobs.states import (
    ENDED,
    JOB_TRANSITIONS,
    RUN_TRANSITIONS,
    JobStatus,
    RunStatus,
)
from tests.admin_site.backend_objects import NOW

# Written out a second time on purpose: a change is one of the design.
JOB: Mapping[str, str] = {
    "waiting": "queued cancelled expired",
    "queued": "leased cancelled expired",
    "leased": "queued running expired succeeded failed timed_out cancelled lost",
    "running": "succeeded failed timed_out cancelled lost",
    "succeeded": "",
    "failed": "",
    "timed_out": "",
    "cancelled": "",
    "expired": "",
    "lost": "succeeded failed timed_out cancelled",
}
RUN: Mapping[str, str] = {"rolling": "done stopped", "done": "", "stopped": "done"}


@pytest.mark.parametrize(
    ("table", "states", "expected"),
    [(JOB_TRANSITIONS, JobStatus, JOB), (RUN_TRANSITIONS, RunStatus, RUN)],
    ids=["job", "run"],
)
def test_every_pair_of_states(table: Any, states: Any, expected: Any) -> None:
    assert set(table) == set(states)
    for current, to in product(states, states):
        if to.value in expected[current.value].split():
            assert checked_transition(table, current=current, to=to) is to
        else:
            with pytest.raises(TransitionRefused):
                checked_transition(table, current=current, to=to)


def test_what_has_ended_is_what_only_a_late_word_can_change() -> None:
    changeable = {each for each in JobStatus if JOB_TRANSITIONS[each] - ENDED}
    assert changeable.isdisjoint(ENDED)
    assert set(JobStatus) - ENDED == {
        JobStatus.WAITING,
        JobStatus.QUEUED,
        JobStatus.LEASED,
        JobStatus.RUNNING,
    }


@pytest.mark.parametrize(
    ("current", "to"),
    [
        (current, to)
        for current, to in product(JobStatus, JobStatus)
        if to.value in JOB[current.value].split()
    ],
)
def test_times_follow_from_the_move(
    current: JobStatus, to: JobStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Job, "save", lambda self: None)
    job = Job(status=current, leased_until=NOW)
    move_job(job, to=to, now=NOW)
    assert job.status == to
    assert (job.started_at == NOW) == (to is JobStatus.RUNNING)
    assert (job.finished_at == NOW) == (to in ENDED)
    assert (job.leased_until is None) == (to is JobStatus.QUEUED)
