"""Scripts of the library as the portal knows them: global, read only, versioned."""

import uuid
from typing import ClassVar

from django.db import models


class Script(models.Model):
    """A library script. Not tenant-owned: the same for everyone, written at upgrade."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.CharField(max_length=63, unique=True)
    category = models.CharField(max_length=63)
    category_title = models.JSONField(default=dict)
    current = models.ForeignKey(
        "ScriptVersion", on_delete=models.PROTECT, null=True, related_name="+"
    )
    is_withdrawn = models.BooleanField(default=False)

    class Meta:
        ordering = ("category", "slug")

    def __str__(self) -> str:
        return self.slug


class ScriptVersion(models.Model):
    """What a job runs and remembers; never changed once written.

    `metadata` is script.toml as JSON, `sha256` names the executable's blob.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    script = models.ForeignKey(
        Script, on_delete=models.PROTECT, related_name="versions"
    )
    version = models.CharField(max_length=40)
    metadata = models.JSONField()
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["script", "version", "sha256"], name="script_version_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.script_id} {self.version}"
