"""Computers, enrolments and tokens for tests, as the database holds them."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from admin_site.accounts.models import User
from admin_site.computers.enrolment import IssuedToken, issue_token
from admin_site.computers.models import (
    Computer,
    Enrolment,
    EnrolmentToken,
    Presence,
)
from admin_site.computers.signing import make_signing_key
from admin_site.computers.states import ComputerStatus, EnrolmentState
from admin_site.core.tenancy import scoped
from admin_site.tenancy.models import Site
from client_agent.protocol.keys import pairing_code
from tests.factories.tenants import make_user

_numbers = count(1)


def _now() -> datetime:
    return datetime.now(UTC)


def make_computer(
    site: Site,
    *,
    name: str | None = None,
    status: ComputerStatus = ComputerStatus.ACTIVE,
    seen_at: datetime | None = None,
    **fields: Any,
) -> Computer:
    """A computer in `status`; `seen_at` is what was flushed to the database."""
    with scoped([site.organisation_id]):
        computer: Computer = Computer.objects.create(
            organisation_id=site.organisation_id,
            site=site,
            name=name or f"PC {next(_numbers):03}",
            product="desktop",
            status=status,
            created_at=_now(),
            **fields,
        )
        if seen_at is not None:
            Presence.objects.create(
                organisation_id=site.organisation_id, computer=computer, seen_at=seen_at
            )
    return computer


def make_token(site: Site, *, by: User | None = None, uses: int = 10) -> EnrolmentToken:
    """A token whose secret nobody knows."""
    with scoped([site.organisation_id]):
        token: EnrolmentToken = EnrolmentToken.objects.create(
            organisation_id=site.organisation_id,
            site=site,
            secret_hash=hashlib.sha256(secrets.token_bytes(16)).digest(),
            created_by=by or make_user(),
            created_at=_now(),
            expires_at=_now() + timedelta(days=1),
            uses_left=uses,
        )
    return token


def make_signed_token(site: Site, *, by: User, uses: int = 10) -> IssuedToken:
    """A token that works, of an organisation that now has a signing key."""
    with scoped([site.organisation_id]):
        make_signing_key(organisation_id=site.organisation_id, now=_now())
        return issue_token(
            site=site, by=by, now=_now(), valid_for=timedelta(days=1), uses=uses
        )


def make_enrolment(
    site: Site,
    *,
    host_name: str = "new-pc",
    state: EnrolmentState = EnrolmentState.PENDING,
    token: EnrolmentToken | None = None,
) -> Enrolment:
    """A computer that asks to be let in."""
    token = token or make_token(site)
    computer = make_computer(site, name=host_name, status=ComputerStatus.PENDING)
    device_key = secrets.token_bytes(32)
    with scoped([site.organisation_id]):
        enrolment: Enrolment = Enrolment(
            organisation_id=site.organisation_id,
            token=token,
            computer=computer,
            device_key=device_key,
            host_name=host_name,
            mac_addresses=["02:00:00:00:00:01"],
            state=state,
            created_at=_now(),
        )
        enrolment.pairing_code = pairing_code(device_key, enrolment.pk)
        enrolment.save(force_insert=True)
    return enrolment
