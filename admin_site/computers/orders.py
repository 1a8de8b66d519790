"""Giving a computer an order."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction

from admin_site.accounts.actors import actor_of
from admin_site.accounts.models import User
from admin_site.audit.services import record, snapshot
from admin_site.computers.models import Computer, Order
from admin_site.core.tasks import defer_by_name
from client_agent.protocol.orders import OrderKind

ORDER_LIFETIME = timedelta(days=1)


@transaction.atomic
def give_order(
    *,
    computer: Computer,
    kind: OrderKind,
    arguments: Mapping[str, str],
    by: User,
    now: datetime,
) -> Order:
    """Write the next order of `computer`; the worker signs it and nudges.

    The caller has checked the permission, which differs by kind. Locks the computer's
    row, so that sequence numbers have no gap and no double.
    """
    locked = (
        Computer.objects.for_organisation(computer.organisation_id)
        .select_for_update()
        .get(pk=computer.pk)
    )
    locked.last_order_seq += 1
    locked.save(update_fields=["last_order_seq"])
    order: Order = Order.objects.create(
        organisation_id=locked.organisation_id,
        computer=locked,
        seq=locked.last_order_seq,
        kind=kind.value,
        arguments=dict(arguments),
        by=by.name,
        created_at=now,
        not_after=now + ORDER_LIFETIME,
    )
    record(
        organisation_id=locked.organisation_id,
        by=actor_of(by),
        action=f"order.{kind.value}",
        target=locked,
        after=snapshot(order, "seq", "arguments"),
    )
    defer_by_name(
        "computers.sign_orders", locked.organisation_id, computer_uid=locked.pk
    )
    return order
