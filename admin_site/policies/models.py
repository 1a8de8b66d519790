"""Policies: named, versioned documents of settings, assigned to sites."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from admin_site.tenancy.models import Site, TenantModel, TenantQuerySet


class Policy(TenantModel):
    """What an organisation wants somewhere; its content stands in its versions."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class PolicyVersion(TenantModel):
    """Immutable. `document` maps a setting's slug to its value."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    policy = models.ForeignKey(
        Policy, on_delete=models.CASCADE, related_name="versions"
    )
    number = models.PositiveIntegerField()
    document = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["policy", "number"], name="policy_version_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} {self.number}"


class Assignment(TenantModel):
    """Binds the newest version of a policy to a site."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    policy = models.OneToOneField(
        Policy, on_delete=models.CASCADE, related_name="assignment"
    )
    site = models.OneToOneField(Site, on_delete=models.CASCADE)

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.policy_id} at {self.site_id}"
