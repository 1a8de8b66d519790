"""Organisations, sites and people for tests. Each call opens the scope it needs."""

from uuid import uuid4

from admin_site.accounts.models import User
from admin_site.audit.services import system_actor
from admin_site.core.tenancy import scoped
from admin_site.tenancy.models import Organisation, Site
from admin_site.tenancy.roles import Role
from admin_site.tenancy.services import add_member, create_organisation, create_site

BY = system_actor("test")


def _unique() -> str:
    return uuid4().hex[:10]


def make_organisation(*, slug: str | None = None, name: str = "") -> Organisation:
    """An organisation whose worker has not run: it has no signing key."""
    slug = slug or f"organisation-{_unique()}"
    return create_organisation(name=name or slug.title(), slug=slug, by=BY)


def make_site(
    organisation: Organisation | None = None, *, code: str | None = None, name: str = ""
) -> Site:
    """A site, of a new organisation unless one is given."""
    organisation = organisation or make_organisation()
    code = code or f"site-{_unique()}"
    with scoped([organisation.pk]):
        return create_site(
            organisation=organisation, name=name or code.title(), code=code, by=BY
        )


def make_user(
    name: str = "Tess Tester", *, email: str = "", password: str | None = None
) -> User:
    """A person without any role."""
    email = email or f"person-{_unique()}@example.org"
    return User.objects.create_user(email, name=name, password=password)


def join(user: User, site: Site, role: Role, *, is_everywhere: bool = False) -> None:
    """Give `user` one more role, at `site` or at its whole organisation."""
    with scoped([site.organisation_id]):
        add_member(
            organisation=site.organisation,
            user=user,
            role=role,
            by=BY,
            site=None if is_everywhere else site,
        )


def make_member(
    site: Site,
    role: Role = Role.ORGANISATION_ADMIN,
    *,
    name: str = "Tess Tester",
    is_everywhere: bool = False,
) -> User:
    """A new person with `role` at `site`, or at its whole organisation."""
    user = make_user(name)
    join(user, site, role, is_everywhere=is_everywhere)
    return user
