"""Organisations, their sites, and who may do what there."""

import uuid
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from admin_site.tenancy.roles import Role

if TYPE_CHECKING:
    from admin_site.accounts.models import User

M = TypeVar("M", bound=models.Model)

CODE_VALIDATOR = RegexValidator(
    r"^[a-z0-9-]{2,40}$", _("Use a-z, 0-9 and hyphen, 2 to 40 characters.")
)


class Organisation(models.Model):
    """A tenant: a municipality or association."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=40, unique=True, validators=[CODE_VALIDATOR])
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class TenantQuerySet(models.QuerySet[M]):
    """Every read of tenant-owned rows begins with one of these."""

    def for_organisation(self, organisation: Organisation | UUID) -> Self:
        """Rows of one organisation."""
        key = (
            organisation.pk if isinstance(organisation, Organisation) else organisation
        )
        return self.filter(organisation_id=key)

    def for_site(self, site: "Site") -> Self:
        """Rows of one site; the model has a foreign key `site`."""
        return self.filter(organisation_id=site.organisation_id, site=site)


class TenantModel(models.Model):
    """A row that belongs to an organisation; its table is under row-level security."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        abstract = True


class SiteQuerySet(TenantQuerySet["Site"]):
    def for_user(self, user: "User") -> Self:
        """Sites at which `user` has any role."""
        memberships = Membership.objects.filter(user=user)
        whole = memberships.filter(site__isnull=True).values("organisation_id")
        single = memberships.filter(site__isnull=False).values("site_id")
        return self.filter(
            models.Q(organisation_id__in=whole) | models.Q(pk__in=single)
        )


class Site(TenantModel):
    """A place or department, for example a library branch."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=40, validators=[CODE_VALIDATOR])
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="Europe/Copenhagen")
    language = models.CharField(max_length=2, choices=settings.LANGUAGES, default="da")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = SiteQuerySet.as_manager()

    class Meta:
        ordering = ("name", "code")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation", "code"], name="site_code_unique"
            )
        ]

    def __str__(self) -> str:
        return self.name


class MembershipQuerySet(TenantQuerySet["Membership"]):
    def reaching(self, site: Site) -> Self:
        """Memberships at `site` or at its whole organisation."""
        return self.for_organisation(site.organisation_id).filter(
            models.Q(site__isnull=True) | models.Q(site=site)
        )


class Membership(TenantModel):
    """Binds a person to a role, at a whole organisation or at one site."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, null=True, blank=True)
    role = models.CharField(max_length=40, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = MembershipQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation", "user", "site", "role"],
                name="membership_unique",
                nulls_distinct=False,
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user"], name="membership_user")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"
