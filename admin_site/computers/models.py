"""Managed computers: record, keys, enrolment, presence, facts, orders, reports."""

import uuid
from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from admin_site.computers.states import ComputerStatus, EnrolmentState
from admin_site.tenancy.models import Site, TenantModel, TenantQuerySet


class SigningKey(TenantModel):
    """An organisation's Ed25519 key; the private half only under the master key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    public_key = models.BinaryField(max_length=32)
    fingerprint = models.CharField(max_length=43, unique=True)
    encrypted_private_key = models.BinaryField(max_length=200)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation"],
                condition=models.Q(retired_at__isnull=True),
                name="signing_key_one_current",
            )
        ]

    def __str__(self) -> str:
        return self.fingerprint


class EnrolmentToken(TenantModel):
    """Short-lived invitation to a site; only a hash of its secret is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    secret_hash = models.BinaryField(max_length=32, unique=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    uses_left = models.PositiveIntegerField()
    revoked_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["organisation", "site", "expires_at"], name="token_by_site"
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)[:8]


class ComputerQuerySet(TenantQuerySet["Computer"]):
    def for_computer(self, uid: UUID) -> Self:
        """The one computer that asks."""
        return self.filter(pk=uid)


class Computer(TenantModel):
    """A managed device. `uid` is its name on the wire.

    `auth_version` grows with every change that the cache of the fast path holds:
    key, status, etag.
    """

    uid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    name = models.CharField(_("name"), max_length=100)
    product = models.CharField(max_length=10)
    status = models.CharField(
        max_length=20, choices=ComputerStatus.choices, default=ComputerStatus.PENDING
    )
    os_release = models.CharField(max_length=200, blank=True)
    serial = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    auth_version = models.PositiveBigIntegerField(default=1)
    created_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    signed_revocation = models.BinaryField(null=True)
    last_order_seq = models.PositiveBigIntegerField(default=0)

    objects: ClassVar[Any] = ComputerQuerySet.as_manager()

    class Meta:
        ordering = ("name", "uid")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["organisation", "site", "status", "name"],
                name="computer_by_site",
            )
        ]

    def __str__(self) -> str:
        return self.name


class StateDirty(TenantModel):
    """A computer whose desired state must be compiled anew; the compiler deletes it."""

    computer = models.OneToOneField(
        Computer, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    marked_at = models.DateTimeField()

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.computer_id)


class ComputerKey(TenantModel):
    """A public key of a computer: ``link``, ``device`` or ``seal``."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    computer = models.ForeignKey(
        Computer, on_delete=models.CASCADE, related_name="keys"
    )
    purpose = models.CharField(max_length=10)
    alg = models.CharField(max_length=20)
    public_key = models.BinaryField(max_length=32)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["computer", "purpose"],
                condition=models.Q(retired_at__isnull=True),
                name="computer_key_one_current",
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} of {self.computer_id}"


class Enrolment(TenantModel):
    """One computer's request to be let in; `id` is random and part of the code."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token = models.ForeignKey(EnrolmentToken, on_delete=models.PROTECT)
    computer = models.ForeignKey(Computer, on_delete=models.CASCADE)
    device_key = models.BinaryField(max_length=32)
    host_name = models.CharField(max_length=200)
    mac_addresses = models.JSONField(default=list)
    pairing_code = models.CharField(max_length=6)
    state = models.CharField(
        max_length=10, choices=EnrolmentState.choices, default=EnrolmentState.PENDING
    )
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    signed_decision = models.BinaryField(null=True)

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["token", "device_key"], name="enrolment_idempotent"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["organisation", "state", "created_at"],
                name="enrolment_by_state",
            )
        ]

    def __str__(self) -> str:
        return self.pairing_code


class Facts(TenantModel):
    """What a computer says of itself, as last told."""

    computer = models.OneToOneField(
        Computer, on_delete=models.CASCADE, primary_key=True, related_name="facts"
    )
    data = models.JSONField(default=dict)
    digest = models.CharField(max_length=64, blank=True)
    updated_at = models.DateTimeField()

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"facts of {self.computer_id}"


class Presence(TenantModel):
    """When a computer was last seen, written once a minute from the cache."""

    computer = models.OneToOneField(
        Computer, on_delete=models.CASCADE, primary_key=True, related_name="presence"
    )
    seen_at = models.DateTimeField()

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.computer_id} {self.seen_at}"


class Order(TenantModel):
    """A short command to one computer, signed by the worker."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    computer = models.ForeignKey(Computer, on_delete=models.CASCADE)
    seq = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=20)
    arguments = models.JSONField(default=dict)
    by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    not_after = models.DateTimeField()
    signed = models.BinaryField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=63, blank=True)

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["computer", "seq"], name="order_in_sequence"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.seq}"


class ReportStream(TenantModel):
    """How far the spool of a computer has been taken in."""

    id = models.BigAutoField(primary_key=True)
    computer = models.ForeignKey(Computer, on_delete=models.CASCADE)
    stream = models.UUIDField()
    acknowledged = models.PositiveBigIntegerField(default=0)
    updated_at = models.DateTimeField()

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["computer", "stream"], name="report_stream_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.acknowledged}"


class ComputerEvent(TenantModel):
    """Something that a computer reported; idempotent by stream and sequence."""

    id = models.BigAutoField(primary_key=True)
    computer = models.ForeignKey(Computer, on_delete=models.CASCADE)
    stream = models.UUIDField()
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    code = models.CharField(max_length=63)
    arguments = models.JSONField(default=dict)

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["computer", "stream", "seq"], name="event_once"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["organisation", "computer", "at"], name="event_by_computer"
            )
        ]

    def __str__(self) -> str:
        return self.code


class SettingCompliance(TenantModel):
    """How one setting stands on one computer, as last reported."""

    id = models.BigAutoField(primary_key=True)
    computer = models.ForeignKey(
        Computer, on_delete=models.CASCADE, related_name="compliance"
    )
    setting = models.CharField(max_length=63)
    status = models.CharField(max_length=20)
    revision = models.PositiveBigIntegerField()
    code = models.CharField(max_length=63, blank=True)
    detail = models.TextField(blank=True)
    at = models.DateTimeField()

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["computer", "setting"], name="compliance_one_per_setting"
            )
        ]

    def __str__(self) -> str:
        return f"{self.setting}: {self.status}"
