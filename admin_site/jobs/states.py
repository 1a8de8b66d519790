"""States of a job as a table: only this decides what may follow what."""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobStatus(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    QUEUED = "queued", _("Queued")
    LEASED = "leased", _("Handed out")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    TIMED_OUT = "timed_out", _("Took too long")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")
    LOST = "lost", _("Lost")


S = JobStatus
_RESULTS = frozenset({S.SUCCEEDED, S.FAILED, S.TIMED_OUT, S.CANCELLED, S.LOST})

JOB_TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = {
    S.WAITING: frozenset({S.QUEUED, S.CANCELLED, S.EXPIRED}),
    S.QUEUED: frozenset({S.LEASED, S.CANCELLED, S.EXPIRED}),
    # Back to queued when the lease runs out.
    S.LEASED: frozenset({S.QUEUED, S.RUNNING, S.EXPIRED}) | _RESULTS,
    S.RUNNING: _RESULTS,
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.TIMED_OUT: frozenset(),
    S.CANCELLED: frozenset(),
    S.EXPIRED: frozenset(),
    # A computer that was cut off may still tell what became of it.
    S.LOST: _RESULTS - {S.LOST},
}

ENDED = frozenset({S.SUCCEEDED, S.FAILED, S.TIMED_OUT, S.CANCELLED, S.EXPIRED, S.LOST})


class RunStatus(models.TextChoices):
    ROLLING = "rolling", _("In progress")
    DONE = "done", _("Done")
    STOPPED = "stopped", _("Stopped")


R = RunStatus
RUN_TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    R.ROLLING: frozenset({R.DONE, R.STOPPED}),
    R.DONE: frozenset(),
    R.STOPPED: frozenset({R.DONE}),
}
