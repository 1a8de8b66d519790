"""Three people for every test of a page, and their browsers."""

from dataclasses import dataclass

import pytest
from django.test import Client

from admin_site.accounts.models import User
from admin_site.tenancy.models import Site
from admin_site.tenancy.roles import Role
from tests.factories.tenants import make_member, make_organisation, make_site


@dataclass(frozen=True)
class ThreePeople:
    """alice rules at `site`, bob may only read there, charlie rules elsewhere."""

    site: Site
    other_site: Site
    alice: User
    bob: User
    charlie: User

    def at_site(self, path: str = "") -> str:
        """Address of a page at `site`."""
        return f"/at/{self.site.organisation.slug}/{self.site.code}/{path}"


@pytest.fixture
def three_people(db: None) -> ThreePeople:
    """Two organisations with a site each, and the three of them."""
    site = make_site(make_organisation(name="Norrby kommun"), name="Main library")
    other = make_site(make_organisation(name="Soderby"), name="Other library")
    admin = Role.ORGANISATION_ADMIN
    return ThreePeople(
        site=site,
        other_site=other,
        alice=make_member(site, admin, name="Alice", is_everywhere=True),
        bob=make_member(site, Role.AUDITOR, name="Bob", is_everywhere=True),
        charlie=make_member(other, admin, name="Charlie", is_everywhere=True),
    )


def browser_of(user: User | None, *, language: str = "en") -> Client:
    """A browser in which `user` is signed in, or nobody."""
    client = Client(headers={"accept-language": language})
    if user is not None:
        client.force_login(user)
    return client
