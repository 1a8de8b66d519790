"""What open pages may follow, and who may follow it."""

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from admin_site.accounts.models import User
from admin_site.core.permissions import Permission
from admin_site.core.tenancy import scoped
from admin_site.tenancy.access import organisation_ids_of_user, permissions_at
from admin_site.tenancy.models import Site

PERMISSIONS: Mapping[str, Permission] = MappingProxyType(
    {"site": Permission.SITE_VIEW, "run": Permission.RUN_VIEW}
)

_LOOKUPS = {"site": "pk", "run": "run__pk"}


class TopicUnknown(Exception):
    """There is no such thing, as far as this person can see."""


class TopicRefused(Exception):
    """The person is a member there, but the role lacks the permission."""


def check_topic(user_id: UUID, topic: str, key: UUID) -> None:
    """Do nothing if that person may follow `topic` (of `PERMISSIONS`) of `key`.

    Judged as a page about the same thing would be.

    Raises:
        TopicUnknown: a page would answer 404.
        TopicRefused: a page would answer 403.
    """
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise TopicUnknown
    with scoped(organisation_ids_of_user(user)):
        site = Site.objects.for_user(user).filter(**{_LOOKUPS[topic]: key}).first()
        if site is None:
            raise TopicUnknown
        if PERMISSIONS[topic] not in permissions_at(user, site):
            raise TopicRefused
