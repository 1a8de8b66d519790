"""Create a tenant, with a first site if wanted."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError

from admin_site.audit.services import system_actor
from admin_site.core.tenancy import scoped
from admin_site.tenancy.services import create_organisation, create_site


class Command(BaseCommand):
    help = "Create an organisation; the worker then makes its signing key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="for example Norrby kommun")
        parser.add_argument("--slug", required=True, help="a-z, 0-9 and hyphen")
        parser.add_argument("--site-name", help="name of a first site")
        parser.add_argument("--site-code", help="its code: a-z, 0-9 and hyphen")

    def handle(self, *args: Any, **options: Any) -> None:
        by = system_actor("create_organisation")
        try:
            organisation = create_organisation(
                name=options["name"], slug=options["slug"], by=by
            )
            if options["site_code"]:
                with scoped([organisation.pk]):
                    create_site(
                        organisation=organisation,
                        name=options["site_name"] or options["site_code"],
                        code=options["site_code"],
                        by=by,
                    )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        except IntegrityError as error:
            raise CommandError(
                f"There is an organisation {options['slug']} already."
            ) from error
        self.stdout.write(f"Created {organisation.name} ({organisation.pk}).")
