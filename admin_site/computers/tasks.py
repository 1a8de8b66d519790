"""Background work of `computers`: whatever needs the signing key, and presence."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from admin_site.audit.services import record, system_actor
from admin_site.computers import agent_cache, authority, signing
from admin_site.computers.enrolment import PENDING_FOR, expire_enrolment
from admin_site.computers.models import Computer, Enrolment, Order
from admin_site.computers.states import EnrolmentState
from admin_site.core import clock, publish
from admin_site.core.tasks import sweep, task_without_tenant, tenant_task
from client_agent.protocol.enrolment import EnrolmentDecision, EnrolmentStatus
from client_agent.protocol.orders import OrderDocument, OrderKind
from client_agent.protocol.signed import Kind
from client_agent.protocol.socket import Hint
from client_agent.protocol.state import Revocation


@tenant_task("computers.make_signing_key")
def make_signing_key(*, organisation_id: UUID) -> None:
    """Make the organisation's signing key, once."""
    if signing.current_signing_key(organisation_id) is not None:
        return
    key = signing.make_signing_key(organisation_id=organisation_id, now=clock.now())
    record(
        organisation_id=organisation_id,
        by=system_actor("computers.make_signing_key"),
        action="signing_key.made",
        target=key,
    )


@tenant_task("computers.sign_enrolment")
def sign_enrolment(*, organisation_id: UUID, enrolment_id: str) -> None:
    """Sign what has become of an enrolment so far."""
    enrolment = (
        Enrolment.objects.for_organisation(organisation_id)
        .select_for_update()
        .filter(pk=enrolment_id)
        .first()
    )
    if enrolment is None:
        return
    decision = EnrolmentDecision(
        enrolment_id=enrolment.pk,
        computer=enrolment.computer_id,
        organisation=organisation_id,
        device_key=bytes(enrolment.device_key),
        status=EnrolmentStatus(enrolment.state),
        poll_seconds=settings.POLL_SECONDS,
    )
    enrolment.signed_decision = signing.Signer(organisation_id).sign(
        Kind.ENROLMENT, decision
    )
    enrolment.save(update_fields=["signed_decision"])


@tenant_task("computers.sign_revocation")
def sign_revocation(*, organisation_id: UUID, computer_uid: str) -> None:
    """Sign a revocation, which the computer believes only then."""
    computer = Computer.objects.for_organisation(organisation_id).get(pk=computer_uid)
    if computer.revoked_at is None:
        return
    document = Revocation(computer=computer.pk, revoked_at=computer.revoked_at)
    computer.signed_revocation = signing.Signer(organisation_id).sign(
        Kind.REVOCATION, document
    )
    computer.save(update_fields=["signed_revocation"])


@tenant_task("computers.sign_orders")
def sign_orders(*, organisation_id: UUID, computer_uid: str) -> None:
    """Sign the orders of a computer that are not signed yet, and nudge it."""
    orders = list(
        Order.objects.for_organisation(organisation_id)
        .select_for_update(of=("self",))
        .select_related("computer")
        .filter(computer_id=computer_uid, signed__isnull=True)
        .order_by("seq")
    )
    if not orders:
        return
    signer = signing.Signer(organisation_id)
    for order in orders:
        document = OrderDocument(
            computer=order.computer_id,
            seq=order.seq,
            kind=OrderKind(order.kind),
            arguments=order.arguments,
            not_after=order.not_after,
            by=order.by,
        )
        order.signed = signer.sign(Kind.ORDER, document)
        order.save(update_fields=["signed"])
    authority.bump_auth_version(
        [orders[0].computer], organisation_id=organisation_id, nudge=Hint.ORDERS
    )


@tenant_task("computers.forget_again")
def forget_again(
    *, organisation_id: UUID, versions: dict[str, int], nudge: str
) -> None:
    """Repeat an invalidation and its nudge; tried again until Valkey answers."""
    by_uid = {UUID(uid): version for uid, version in versions.items()}
    agent_cache.forget(by_uid)
    publish.nudge_computers_now(by_uid, Hint(nudge))


@sweep("computers.expire_enrolments", cron="17 * * * *")
def expire_enrolments(organisation_id: UUID) -> None:
    """End requests that nobody has decided for a week."""
    now = clock.now()
    forgotten = Enrolment.objects.for_organisation(organisation_id).filter(
        state=EnrolmentState.PENDING, created_at__lt=now - PENDING_FOR
    )
    for enrolment in forgotten:
        expire_enrolment(
            enrolment=enrolment, by=system_actor("computers.expire_enrolments"), now=now
        )


@task_without_tenant("computers.flush_presence", cron="* * * * *")
def flush_presence(now: datetime) -> None:
    """Write who was seen in the last two minutes, with one statement."""
    since = int(now.timestamp()) - 120
    seen: list[tuple[Any, float]] = agent_cache.seen_since(since)
    if not seen:
        return
    uids = [uid.decode() for uid, _score in seen]
    moments = [datetime.fromtimestamp(score, UTC) for _uid, score in seen]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT computers_flush_presence(%s, %s)", [uids, moments])
