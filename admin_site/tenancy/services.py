"""Changes to organisations, sites and memberships."""

import uuid

from django.db import transaction

from admin_site.accounts.models import User
from admin_site.audit.services import Actor, record, snapshot
from admin_site.core.tasks import defer_by_name
from admin_site.core.tenancy import scoped
from admin_site.tenancy.models import Membership, Organisation, Site
from admin_site.tenancy.roles import Role


def create_organisation(*, name: str, slug: str, by: Actor) -> Organisation:
    """Create a tenant; the worker makes its signing key.

    For the operator's commands: opens the new organisation's scope itself.
    """
    organisation = Organisation(id=uuid.uuid4(), name=name, slug=slug)
    organisation.clean_fields()
    with scoped([organisation.pk]):
        organisation.save(force_insert=True)
        record(
            organisation_id=organisation.pk,
            by=by,
            action="organisation.created",
            target=organisation,
            after=snapshot(organisation, "name", "slug"),
        )
        defer_by_name("computers.make_signing_key", organisation.pk)
    return organisation


@transaction.atomic
def create_site(
    *,
    organisation: Organisation,
    name: str,
    code: str,
    by: Actor,
    language: str = "da",
    time_zone: str = "Europe/Copenhagen",
) -> Site:
    """Create a site; runs in the organisation's scope."""
    site = Site(
        organisation=organisation,
        name=name,
        code=code,
        language=language,
        time_zone=time_zone,
    )
    site.full_clean()
    site.save(force_insert=True)
    record(
        organisation_id=organisation.pk,
        by=by,
        action="site.created",
        target=site,
        after=snapshot(site, "name", "code", "language", "time_zone"),
    )
    return site


@transaction.atomic
def add_member(
    *,
    organisation: Organisation,
    user: User,
    role: Role,
    by: Actor,
    site: Site | None = None,
) -> Membership:
    """Give `user` a role at `site`, or at the whole organisation; twice is once."""
    membership, created = Membership.objects.get_or_create(
        organisation=organisation, user=user, role=role, site=site
    )
    if created:
        record(
            organisation_id=organisation.pk,
            by=by,
            action="member.added",
            target=user,
            after=snapshot(membership, "role", "site"),
        )
    return membership
