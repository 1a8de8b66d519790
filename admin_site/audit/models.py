"""What people and computers did. Rows are only ever inserted.

Events come unchained, so that no deed waits for another; the worker seals them.
"""

import uuid
from typing import ClassVar

from django.db import models


class AuditEvent(models.Model):
    """One deed: who, what, to what, before and after.

    No foreign keys: an event outlives everything that it names. `organisation_id` is
    the tenant; the table is under row-level security and the processes' role may
    only insert and select.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation_id = models.UUIDField()
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=20)
    actor_id = models.CharField(max_length=40)
    actor_name = models.CharField(max_length=200)
    action = models.CharField(max_length=60)
    target_kind = models.CharField(max_length=40)
    target_id = models.CharField(max_length=40)
    target_name = models.CharField(max_length=200)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    request_id = models.CharField(max_length=32, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organisation_id", "at"], name="audit_by_time"),
            models.Index(
                fields=["organisation_id", "target_id", "at"], name="audit_by_target"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_name}"


class AuditSeal(models.Model):
    """One link of an organisation's chain: a block of events that may not change.

    `digest` covers the link before, the rest of this row and the digests of the
    block's events in their order (`audit.chain`). `latest_at` is the latest stamp of
    an event in this block or one before.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation_id = models.UUIDField()
    number = models.PositiveBigIntegerField()
    event_count = models.PositiveIntegerField()
    latest_at = models.DateTimeField()
    sealed_at = models.DateTimeField()
    previous_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation_id", "number"], name="audit_seal_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.number}"


class AuditSealedEvent(models.Model):
    """Place of an event in the chain. It has one only: the event is the key."""

    event_id = models.UUIDField(primary_key=True)
    organisation_id = models.UUIDField()
    number = models.PositiveBigIntegerField()
    position = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation_id", "number", "position"],
                name="audit_sealed_position",
            )
        ]

    def __str__(self) -> str:
        return f"{self.event_id}"


class AuditCheckpoint(models.Model):
    """What a purge leaves: where the chain goes on. Signed by the worker."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation_id = models.UUIDField()
    number = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64)
    event_count = models.PositiveBigIntegerField()
    latest_at = models.DateTimeField()
    made_at = models.DateTimeField()
    signature = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation_id", "number"], name="audit_checkpoint_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.number}"
