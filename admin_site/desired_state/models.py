"""What each computer should be, compiled and signed."""

from typing import Any, ClassVar

from django.db import models

from admin_site.computers.models import Computer
from admin_site.tenancy.models import TenantModel, TenantQuerySet


class CompiledState(TenantModel):
    """The last signed state of a computer; equal digests mean equal content."""

    computer = models.OneToOneField(
        Computer, on_delete=models.CASCADE, primary_key=True, related_name="state"
    )
    revision = models.PositiveBigIntegerField()
    content_digest = models.CharField(max_length=64)
    etag = models.CharField(max_length=64)
    signed = models.BinaryField()
    compiled_at = models.DateTimeField()

    objects: ClassVar[Any] = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.computer_id} {self.revision}"
