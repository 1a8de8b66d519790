"""The sample organisation "Norrby kommun" of demonstration, smoke test and benchmarks.

Everything goes through the services that the pages call. Needs the portal's environment
and a running worker, which makes the signing key.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from devtools.errors import DevtoolsError

ORGANISATION_NAME = "Norrby kommun"
ORGANISATION_SLUG = "norrby"
SITES = (("huvudbiblioteket", "Huvudbiblioteket"), ("strandfilialen", "Strandfilialen"))
PEOPLE = (
    ("anna.admin@norrby.example", "Anna Andersson", "organisation_admin", "sv"),
    ("ivar.it@norrby.example", "Ivar Isaksson", "it_technician", "sv"),
    ("frida.front@norrby.example", "Frida Friberg", "front_desk", "sv"),
    ("albin.auditor@norrby.example", "Albin Alm", "auditor", "en"),
)
KEY_SECONDS = 60


class SeedFailed(DevtoolsError):
    """The sample could not be made; the text says why."""


@dataclass(frozen=True)
class Person:
    """Somebody of the sample, with a new one-time link."""

    name: str
    role: str
    link: str


@dataclass(frozen=True)
class Sample:
    """What was made."""

    organisation_id: UUID
    people: tuple[Person, ...]

    def link_of(self, role: str) -> str:
        """The link of the person with that role."""
        return next(each.link for each in self.people if each.role == role)


def make_sample(origin: str) -> Sample:
    """Create organisation, sites and people unless they are there; new links always."""
    from django.urls import reverse

    from admin_site.accounts.models import User
    from admin_site.accounts.services import make_one_time_link
    from admin_site.audit.services import system_actor
    from admin_site.core import clock
    from admin_site.core.tasks import all_organisation_ids
    from admin_site.core.tenancy import scoped
    from admin_site.tenancy.models import Organisation, Site
    from admin_site.tenancy.roles import Role
    from admin_site.tenancy.services import (
        add_member,
        create_organisation,
        create_site,
    )

    by = system_actor("seed")
    with scoped(all_organisation_ids()):
        organisation = Organisation.objects.filter(slug=ORGANISATION_SLUG).first()
    if organisation is None:
        organisation = create_organisation(
            name=ORGANISATION_NAME, slug=ORGANISATION_SLUG, by=by
        )
    people = []
    with scoped([organisation.pk]):
        for code, name in SITES:
            if not Site.objects.for_organisation(organisation).filter(code=code):
                create_site(
                    organisation=organisation,
                    name=name,
                    code=code,
                    by=by,
                    language="sv",
                    time_zone="Europe/Stockholm",
                )
        for email, name, role, language in PEOPLE:
            user = User.objects.filter(email=email).first()
            if user is None:
                user = User.objects.create_user(email, name=name, language=language)
            add_member(organisation=organisation, user=user, role=Role(role), by=by)
            secret = make_one_time_link(user=user, now=clock.now())
            link = origin + reverse("one_time_link", args=[secret])
            people.append(Person(name=name, role=role, link=link))
    return Sample(organisation_id=organisation.pk, people=tuple(people))


def wait_for_signing_key(organisation_id: UUID) -> None:
    """Return once the worker has made the organisation's key.

    Raises:
        SeedFailed: it has not within a minute.
    """
    from admin_site.computers.signing import current_signing_key
    from admin_site.core.tenancy import scoped

    deadline = time.monotonic() + KEY_SECONDS
    while time.monotonic() < deadline:
        with scoped([organisation_id]):
            if current_signing_key(organisation_id) is not None:
                return
        time.sleep(0.1)
    raise SeedFailed("The worker has made no signing key; see its log.")


def issue_token(organisation_id: UUID, site_code: str, *, uses: int) -> str:
    """A token for `uses` computers at a site, as the IT technician would make one."""
    from admin_site.accounts.models import User
    from admin_site.computers import enrolment
    from admin_site.core import clock
    from admin_site.core.tenancy import scoped
    from admin_site.tenancy.models import Site

    with scoped([organisation_id]):
        site = Site.objects.for_organisation(organisation_id).get(code=site_code)
        issued = enrolment.issue_token(
            site=site,
            by=User.objects.get(email=PEOPLE[1][0]),
            now=clock.now(),
            valid_for=timedelta(days=7),
            uses=uses,
        )
    return issued.text


def approve_pending(
    organisation_id: UUID, *, except_names: tuple[str, ...] = ()
) -> int:
    """Approve who waits under the host name it gave; returns how many."""
    from admin_site.accounts.models import User
    from admin_site.computers.enrolment import approve_enrolment
    from admin_site.computers.models import Enrolment
    from admin_site.computers.states import EnrolmentState
    from admin_site.core import clock
    from admin_site.core.tenancy import scoped

    with scoped([organisation_id]):
        pending = list(
            Enrolment.objects.for_organisation(organisation_id)
            .filter(state=EnrolmentState.PENDING)
            .exclude(host_name__in=except_names)
        )
        by = User.objects.get(email=PEOPLE[1][0])
        for each in pending:
            approve_enrolment(
                enrolment=each, name=each.host_name, by=by, now=clock.now()
            )
    return len(pending)
