"""Enrolment: tokens, requests of computers, the person's yes or no."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from admin_site.accounts.actors import actor_of
from admin_site.accounts.models import User
from admin_site.audit.services import Actor, record, snapshot
from admin_site.computers import authority, signing
from admin_site.computers.dirty import mark_state_dirty
from admin_site.computers.models import (
    Computer,
    ComputerKey,
    Enrolment,
    EnrolmentToken,
)
from admin_site.computers.states import (
    COMPUTER_TRANSITIONS,
    ENROLMENT_TRANSITIONS,
    ComputerStatus,
    EnrolmentState,
)
from admin_site.core import publish
from admin_site.core.errors import PortalError
from admin_site.core.permissions import Permission
from admin_site.core.state_table import checked_transition
from admin_site.core.tasks import defer_by_name
from admin_site.tenancy.access import require
from admin_site.tenancy.models import Site
from client_agent.protocol import keys
from client_agent.protocol.enrolment import EnrolmentClaim
from client_agent.protocol.errors import ErrorCode, ProtocolError
from client_agent.protocol.socket import Hint

TOKEN_SECRET_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # noqa: S105
TOKEN_SECRET_LENGTH = 24
PENDING_FOR = timedelta(days=7)


class PortalNotReady(PortalError):
    """The worker has not made the organisation's signing key yet."""

    code = "portal-not-ready"


@dataclass(frozen=True)
class IssuedToken:
    """A new token; `text` is shown once and never stored."""

    token: EnrolmentToken
    text: str


@transaction.atomic
def issue_token(
    *, site: Site, by: User, now: datetime, valid_for: timedelta, uses: int
) -> IssuedToken:
    """Make an invitation to `site` for at most `uses` computers.

    Raises:
        NotAllowed: `by` lacks COMPUTER_ENROL at the site.
        PortalNotReady: the organisation has no signing key to pin yet.
    """
    require(by, Permission.COMPUTER_ENROL, at=site)
    key = signing.current_signing_key(site.organisation_id)
    if key is None:
        raise PortalNotReady(_("The portal is still preparing. Try again in a minute."))
    secret = "".join(
        secrets.choice(TOKEN_SECRET_ALPHABET) for _each in range(TOKEN_SECRET_LENGTH)
    )
    token = EnrolmentToken.objects.create(
        organisation_id=site.organisation_id,
        site=site,
        secret_hash=hash_secret(secret),
        created_by=by,
        created_at=now,
        expires_at=now + valid_for,
        uses_left=uses,
    )
    record(
        organisation_id=site.organisation_id,
        by=actor_of(by),
        action="enrolment_token.issued",
        target=token,
        after=snapshot(token, "site", "expires_at", "uses_left"),
    )
    return IssuedToken(token=token, text=f"{secret}.{key.fingerprint}")


@transaction.atomic
def revoke_token(*, token: EnrolmentToken, by: User, now: datetime) -> None:
    """Make an invitation worthless; computers that used it are not touched.

    Raises:
        NotAllowed: `by` lacks COMPUTER_ENROL at the token's site.
    """
    require(by, Permission.COMPUTER_ENROL, at=token.site)
    changed = (
        EnrolmentToken.objects.for_site(token.site)
        .filter(pk=token.pk, revoked_at__isnull=True)
        .update(revoked_at=now)
    )
    if changed:
        record(
            organisation_id=token.organisation_id,
            by=actor_of(by),
            action="enrolment_token.revoked",
            target=token,
        )


def organisation_of_token(secret: str) -> UUID | None:
    """Organisation that issued the token, before any scope is known."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT computers_organisation_of_token(%s)", [hash_secret(secret)]
        )
        row = cursor.fetchone()
    return row[0] if row else None


@transaction.atomic
def request_enrolment(
    *, organisation_id: UUID, claim: EnrolmentClaim, now: datetime
) -> Enrolment:
    """Take in a computer's request; the same token and device key give the same one.

    Runs in the scope of `organisation_id`. Locks the token's row.

    Raises:
        ProtocolError: ``enrolment-token-unknown|-expired|-used-up``.
    """
    token = (
        EnrolmentToken.objects.for_organisation(organisation_id)
        .select_for_update(of=("self",))
        .select_related("site")
        .filter(secret_hash=hash_secret(claim.token_secret))
        .first()
    )
    if token is None:
        raise ProtocolError(ErrorCode.ENROLMENT_TOKEN_UNKNOWN)
    known = Enrolment.objects.for_organisation(organisation_id).filter(
        token=token, device_key=claim.device_key
    )
    enrolment: Enrolment | None = known.first()
    if enrolment is not None:
        return enrolment
    if token.revoked_at is not None:
        raise ProtocolError(ErrorCode.ENROLMENT_TOKEN_UNKNOWN)
    if token.expires_at <= now:
        raise ProtocolError(ErrorCode.ENROLMENT_TOKEN_EXPIRED)
    if token.uses_left == 0:
        raise ProtocolError(ErrorCode.ENROLMENT_TOKEN_USED_UP)
    EnrolmentToken.objects.for_organisation(organisation_id).filter(pk=token.pk).update(
        uses_left=F("uses_left") - 1
    )
    return _create_enrolment(token, claim, now)


def _create_enrolment(
    token: EnrolmentToken, claim: EnrolmentClaim, now: datetime
) -> Enrolment:
    organisation_id = token.organisation_id
    computer = Computer.objects.create(
        organisation_id=organisation_id,
        site=token.site,
        name=claim.facts.host_name[:100],
        product=claim.facts.product.value,
        os_release=claim.facts.os_release[:200],
        serial=claim.facts.serial[:200],
        model=claim.facts.model[:200],
        created_at=now,
    )
    ComputerKey.objects.bulk_create(
        ComputerKey(
            organisation_id=organisation_id,
            computer=computer,
            purpose=purpose,
            alg=alg,
            public_key=public_key,
            created_at=now,
        )
        for purpose, alg, public_key in (
            ("link", "Ed25519", claim.link_key),
            ("device", "Ed25519", claim.device_key),
            ("seal", "X25519", claim.seal_key),
        )
    )
    enrolment_id = uuid.uuid4()
    enrolment = Enrolment.objects.create(
        id=enrolment_id,
        organisation_id=organisation_id,
        token=token,
        computer=computer,
        device_key=claim.device_key,
        host_name=claim.facts.host_name,
        mac_addresses=list(claim.facts.mac_addresses),
        pairing_code=keys.pairing_code(claim.device_key, enrolment_id),
        created_at=now,
    )
    record(
        organisation_id=organisation_id,
        by=Actor(kind="computer", id=str(computer.pk), name=computer.name),
        action="enrolment.requested",
        target=enrolment,
        after=snapshot(enrolment, "host_name", "computer", "token"),
    )
    _sign_later(enrolment)
    publish.hint_pages("site", token.site_id, "enrolments")
    return enrolment


@transaction.atomic
def approve_enrolment(
    *, enrolment: Enrolment, name: str, by: User, now: datetime
) -> Computer:
    """Let a pending computer in under `name` and have its state compiled.

    Raises:
        NotAllowed: `by` lacks COMPUTER_ENROL at the computer's site.
        TransitionRefused: somebody has decided already.
    """
    enrolment = _locked(enrolment)
    computer = enrolment.computer
    require(by, Permission.COMPUTER_ENROL, at=computer.site)
    before = snapshot(computer, "name", "status")
    _decide(enrolment, EnrolmentState.APPROVED, now)
    computer.name = name
    computer.status = checked_transition(
        COMPUTER_TRANSITIONS,
        current=ComputerStatus(computer.status),
        to=ComputerStatus.APPROVED,
    )
    computer.approved_at = now
    computer.save(update_fields=["name", "status", "approved_at"])
    record(
        organisation_id=computer.organisation_id,
        by=actor_of(by),
        action="computer.approved",
        target=computer,
        before=before,
        after=snapshot(computer, "name", "status"),
    )
    _after_decision(enrolment, now)
    return computer


@transaction.atomic
def refuse_enrolment(*, enrolment: Enrolment, by: User, now: datetime) -> None:
    """Turn a pending computer away; its keys are of no use from now on.

    Raises:
        NotAllowed, TransitionRefused: as in `approve_enrolment`.
    """
    enrolment = _locked(enrolment)
    computer = enrolment.computer
    require(by, Permission.COMPUTER_ENROL, at=computer.site)
    _decide(enrolment, EnrolmentState.REFUSED, now)
    _retire(enrolment)
    record(
        organisation_id=computer.organisation_id,
        by=actor_of(by),
        action="enrolment.refused",
        target=enrolment,
        after=snapshot(enrolment, "host_name", "state"),
    )
    _after_decision(enrolment, now)


@transaction.atomic
def expire_enrolment(*, enrolment: Enrolment, by: Actor, now: datetime) -> None:
    """End a request that nobody decided in `PENDING_FOR`."""
    enrolment = _locked(enrolment)
    _decide(enrolment, EnrolmentState.EXPIRED, now)
    _retire(enrolment)
    record(
        organisation_id=enrolment.organisation_id,
        by=by,
        action="enrolment.expired",
        target=enrolment,
    )
    _after_decision(enrolment, now)


@transaction.atomic
def revoke_computer(*, computer: Computer, by: User, now: datetime) -> None:
    """Take a computer out for good: its key is worthless as of this commit.

    Raises:
        NotAllowed: `by` lacks COMPUTER_REVOKE at the computer's site.
        TransitionRefused: it is revoked or retired already.
    """
    computer = (
        Computer.objects.for_site(computer.site)
        .select_for_update(of=("self",))
        .select_related("site")
        .get(pk=computer.pk)
    )
    require(by, Permission.COMPUTER_REVOKE, at=computer.site)
    before = snapshot(computer, "status")
    computer.status = checked_transition(
        COMPUTER_TRANSITIONS,
        current=ComputerStatus(computer.status),
        to=ComputerStatus.REVOKED,
    )
    computer.revoked_at = now
    computer.save(update_fields=["status", "revoked_at"])
    authority.bump_auth_version(
        [computer], organisation_id=computer.organisation_id, nudge=Hint.CLOSE
    )
    defer_by_name(
        "computers.sign_revocation", computer.organisation_id, computer_uid=computer.pk
    )
    record(
        organisation_id=computer.organisation_id,
        by=actor_of(by),
        action="computer.revoked",
        target=computer,
        before=before,
        after=snapshot(computer, "status"),
    )
    publish.hint_pages("site", computer.site_id, "computers")


def hash_secret(secret: str) -> bytes:
    """What is kept of a token's secret, which has 119 bits and needs no salt."""
    return hashlib.sha256(secret.encode()).digest()


def _locked(enrolment: Enrolment) -> Enrolment:
    locked: Enrolment = (
        Enrolment.objects.for_organisation(enrolment.organisation_id)
        .select_for_update(of=("self", "computer"))
        .select_related("computer__site")
        .get(pk=enrolment.pk)
    )
    return locked


def _decide(enrolment: Enrolment, to: EnrolmentState, now: datetime) -> None:
    enrolment.state = checked_transition(
        ENROLMENT_TRANSITIONS, current=EnrolmentState(enrolment.state), to=to
    )
    enrolment.decided_at = now
    enrolment.signed_decision = None
    enrolment.save(update_fields=["state", "decided_at", "signed_decision"])


def _retire(enrolment: Enrolment) -> None:
    computer = enrolment.computer
    computer.status = checked_transition(
        COMPUTER_TRANSITIONS,
        current=ComputerStatus(computer.status),
        to=ComputerStatus.RETIRED,
    )
    computer.save(update_fields=["status"])


def _after_decision(enrolment: Enrolment, now: datetime) -> None:
    computer = enrolment.computer
    if enrolment.state == EnrolmentState.APPROVED:
        mark_state_dirty([computer], organisation_id=computer.organisation_id, now=now)
    authority.bump_auth_version(
        [computer], organisation_id=computer.organisation_id, nudge=Hint.STATE
    )
    _sign_later(enrolment)
    publish.hint_pages("site", computer.site_id, "enrolments")
    publish.hint_pages("site", computer.site_id, "computers")


def _sign_later(enrolment: Enrolment) -> None:
    defer_by_name(
        "computers.sign_enrolment", enrolment.organisation_id, enrolment_id=enrolment.pk
    )
