"""May this person do that here?"""

from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _

from admin_site.accounts.models import User
from admin_site.core.errors import NotAllowed
from admin_site.core.permissions import Permission
from admin_site.tenancy.models import Membership, Site
from admin_site.tenancy.roles import ORGANISATION_WIDE, PERMISSIONS, Role


def organisation_ids_of_user(user: User) -> list[UUID]:
    """Organisations in which `user` has any role; needs no scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenancy_organisations_of_user(%s)", [user.pk])
        return [row[0] for row in cursor.fetchall()]


def permissions_at(user: User, site: Site) -> frozenset[Permission]:
    """What `user` may do at `site`, from all memberships that reach it."""
    held = Membership.objects.reaching(site).filter(user=user)
    return frozenset().union(*map(_permissions_of, held))


def _permissions_of(membership: Membership) -> frozenset[Permission]:
    whole = PERMISSIONS[Role(membership.role)]
    return whole if membership.site_id is None else whole - ORGANISATION_WIDE


def require(user: User, permission: Permission, *, at: Site) -> None:
    """Refuse unless `user` has `permission` at the site.

    Raises:
        NotAllowed: the person's role lacks it.
    """
    if permission not in permissions_at(user, at):
        raise NotAllowed(_("Your role does not allow this."))
