"""Find out whether somebody changed the audit log past the portal."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from admin_site.audit.anchor import Noted, noted_heads
from admin_site.audit.verify import Report, verify_organisation
from admin_site.core import clock
from admin_site.core.errors import PortalError
from admin_site.core.tasks import all_organisation_ids
from admin_site.core.tenancy import scoped
from admin_site.tenancy.models import Organisation


class Command(BaseCommand):
    help = "Verify the audit log. Ends with status 1 and says what is wrong, if so."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        verify = actions.add_parser("verify", help="compare events, seals and anchor")
        verify.add_argument("--organisation", help="slug: this one only")

    def handle(self, *args: Any, **options: Any) -> None:
        anchored = self._anchored()
        organisations = self._organisations(options["organisation"])
        is_whole = True
        for organisation in organisations:
            report = self._verify(organisation, anchored)
            self._tell(organisation, report, has_anchor=anchored is not None)
            is_whole = is_whole and not report.findings
        if not is_whole:
            raise CommandError("The audit log is not what was sealed.")

    def _organisations(self, slug: str | None) -> list[Organisation]:
        with scoped(all_organisation_ids()):
            found = Organisation.objects.order_by("slug")
            organisations = list(found.filter(slug=slug) if slug else found)
        if slug and not organisations:
            raise CommandError(f"There is no organisation {slug}.")
        return organisations

    def _anchored(self) -> Mapping[UUID, Noted] | None:
        path = settings.AUDIT_ANCHOR
        if path is None:
            return None
        try:
            return noted_heads(path)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}.") from error

    def _verify(
        self, organisation: Organisation, anchored: Mapping[UUID, Noted] | None
    ) -> Report:
        noted = None if anchored is None else anchored.get(organisation.pk, {})
        try:
            with scoped([organisation.pk]):
                return verify_organisation(
                    organisation_id=organisation.pk, noted=noted, now=clock.now()
                )
        except PortalError as error:
            raise CommandError(str(error)) from error

    def _tell(
        self, organisation: Organisation, report: Report, *, has_anchor: bool
    ) -> None:
        anchor = "there was no anchor to compare with"
        if has_anchor:
            anchor = f"{report.noted} were noted outside"
        state = "not whole" if report.findings else "whole"
        self.stdout.write(
            f"{organisation.slug}: {state}. {report.seals} seals with "
            f"{report.events} events, {report.unsealed} not sealed yet; {anchor}."
        )
        for finding in report.findings:
            self.stdout.write(f"  {finding}")
