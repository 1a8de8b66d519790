"""Makes the people of the browser tests in a running portal's database.

    python -m tests.e2e.make_people

Prints a JSON object: one-time links by e-mail address. One process for all of them,
through the services that the commands call.
"""

import json
import os
import sys

import django

PEOPLE = {
    # Each a member of these organisations, in this role.
    "it@norrby.example": ("Ivar", "it_technician", ("norrby", "sydby")),
    "paula@norrby.example": ("Paula", "it_technician", ("norrby",)),
    "frida@norrby.example": ("Frida", "front_desk", ("norrby",)),
    "arne@norrby.example": ("Arne", "auditor", ("norrby",)),
    # For tests that sign in themselves.
    "lisa@norrby.example": ("Lisa", "it_technician", ("norrby",)),
    "karl@norrby.example": ("Karl", "it_technician", ("norrby",)),
    "nora@norrby.example": ("Nora", "it_technician", ("norrby",)),
    "olga@norrby.example": ("Olga", "it_technician", ("norrby",)),
    "tove@norrby.example": ("Tove", "it_technician", ("norrby",)),
}


def main() -> int:
    os.environ["CITIZENPC_PROCESS"] = "command"
    os.environ["DJANGO_SETTINGS_MODULE"] = "admin_site.config.settings"
    django.setup()
    _make_second_organisation()
    json.dump({email: _link(email) for email in PEOPLE}, sys.stdout)
    return 0


def _make_second_organisation() -> None:
    from admin_site.audit.services import system_actor
    from admin_site.core.tenancy import scoped
    from admin_site.tenancy.services import create_organisation, create_site

    by = system_actor("make_people")
    organisation = create_organisation(name="Sydby", slug="sydby", by=by)
    with scoped([organisation.pk]):
        create_site(organisation=organisation, name="Branch", code="branch", by=by)


def _link(email: str) -> str:
    from django.conf import settings
    from django.urls import reverse

    from admin_site.accounts.models import User
    from admin_site.accounts.services import make_one_time_link
    from admin_site.audit.services import system_actor
    from admin_site.core import clock
    from admin_site.core.tasks import all_organisation_ids
    from admin_site.core.tenancy import scoped
    from admin_site.tenancy.models import Organisation
    from admin_site.tenancy.roles import Role
    from admin_site.tenancy.services import add_member

    name, role, slugs = PEOPLE[email]
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, name=name)
    with scoped(all_organisation_ids()):
        for organisation in Organisation.objects.filter(slug__in=slugs):
            add_member(
                organisation=organisation,
                user=user,
                role=Role(role),
                by=system_actor("make_people"),
            )
    secret = make_one_time_link(user=user, now=clock.now())
    return f"{settings.ORIGINS[0]}{reverse('one_time_link', args=[secret])}"


if __name__ == "__main__":
    sys.exit(main())
