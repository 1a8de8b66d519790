"""Print a link that signs a person in once, creating the person if need be."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.urls import reverse

from admin_site.accounts.models import User
from admin_site.accounts.services import make_one_time_link
from admin_site.audit.services import record, system_actor
from admin_site.core import clock
from admin_site.core.tasks import all_organisation_ids
from admin_site.core.tenancy import scoped
from admin_site.tenancy.access import organisation_ids_of_user
from admin_site.tenancy.models import Organisation
from admin_site.tenancy.roles import Role
from admin_site.tenancy.services import add_member


class Command(BaseCommand):
    help = "Print a one-time sign-in link. It works once and for 24 hours."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", help="for a new person")
        parser.add_argument(
            "--organisation", help="slug: make the person a member of it"
        )
        parser.add_argument("--role", choices=Role.values, default=Role.OPERATOR.value)

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip().lower()
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        user = User.objects.filter(email=email).first()
        if user is None:
            user = User.objects.create_user(email, name=options["name"] or email)
        if options["organisation"]:
            self._join(user, options["organisation"], Role(options["role"]))
        secret = make_one_time_link(user=user, now=clock.now())
        self._record(user)
        path = reverse("one_time_link", args=[secret])
        self.stdout.write(f"{settings.ORIGINS[0]}{path}")

    def _join(self, user: User, slug: str, role: Role) -> None:
        with scoped(all_organisation_ids()):
            organisation = Organisation.objects.filter(slug=slug).first()
            if organisation is None:
                raise CommandError(f"There is no organisation {slug}.")
            add_member(
                organisation=organisation,
                user=user,
                role=role,
                by=system_actor("one_time_link"),
            )

    def _record(self, user: User) -> None:
        for organisation_id in organisation_ids_of_user(user):
            with scoped([organisation_id]):
                record(
                    organisation_id=organisation_id,
                    by=system_actor("one_time_link"),
                    action="one_time_link.made",
                    target=user,
                )
