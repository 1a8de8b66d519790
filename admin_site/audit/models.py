"""What people and computers did. Rows are only ever inserted."""

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
