"""Runs and their jobs."""

import uuid
from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models

from admin_site.computers.models import Computer
from admin_site.jobs.states import JobStatus, RunStatus
from admin_site.scripts.models import ScriptVersion
from admin_site.tenancy.models import Site, TenantModel, TenantQuerySet


class Run(TenantModel):
    """One order: this script, these computers, these arguments."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    script_version = models.ForeignKey(ScriptVersion, on_delete=models.PROTECT)
    arguments = models.JSONField(default=dict)
    status = models.CharField(
        max_length=10, choices=RunStatus.choices, default=RunStatus.ROLLING
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    request_id = models.UUIDField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "pk")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # The second click on "Run" finds the run of the first.
            models.UniqueConstraint(
                fields=["organisation", "request_id"], name="run_once"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["organisation", "site", "created_at"], name="run_by_site"
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)[:8]


class JobQuerySet(TenantQuerySet["Job"]):
    def overdue(self, now: datetime) -> Self:
        """Handed out, and not started before the lease ran out."""
        return self.filter(status=JobStatus.LEASED, leased_until__lte=now)


class Job(TenantModel):
    """A run on one computer. Times are the portal's unless `reported_` says so."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="jobs")
    computer = models.ForeignKey(Computer, on_delete=models.CASCADE)
    status = models.CharField(
        max_length=10, choices=JobStatus.choices, default=JobStatus.WAITING
    )
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    limit_seconds = models.PositiveIntegerField()
    sealed_secrets = models.JSONField(default=dict)
    signed = models.BinaryField(null=True)
    lease_id = models.UUIDField(null=True)
    lease_request_id = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    exit_status = models.SmallIntegerField(null=True)
    reason = models.CharField(max_length=10, blank=True)
    code = models.CharField(max_length=500, blank=True)
    fields = models.JSONField(default=dict)
    output_bytes = models.PositiveBigIntegerField(default=0)

    objects: ClassVar[Any] = JobQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["run", "computer"], name="job_once_per_computer"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["organisation", "computer", "status", "created_at"],
                name="job_by_computer",
            ),
            models.Index(
                fields=["organisation", "status", "leased_until"], name="job_by_lease"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)[:8]


class OutputChunk(TenantModel):
    """A piece of a job's output; the table is partitioned by month of `created_at`.

    `created_at` is the job's, so that all chunks of a job share a partition.
    """

    pk = models.CompositePrimaryKey("created_at", "job_id", "offset")
    created_at = models.DateTimeField()
    job_id = models.UUIDField()
    offset = models.PositiveBigIntegerField()
    data = models.BinaryField()

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "jobs_outputchunk"

    def __str__(self) -> str:
        return f"{self.job_id} {self.offset}"
