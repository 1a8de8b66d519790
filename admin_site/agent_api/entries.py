"""What the fast path is told of a computer, read from the database."""

from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from admin_site.computers.agent_cache import AgentEntry
from admin_site.computers.models import ComputerKey, Order
from admin_site.core import clock
from admin_site.jobs.models import Job
from admin_site.jobs.states import JobStatus


def entry_of_computer(uid: UUID) -> AgentEntry | None:
    """The entry of `uid`, in the scope of its organisation."""
    now = clock.now()
    row = (
        ComputerKey.objects.filter(
            computer_id=uid, purpose="link", retired_at__isnull=True
        )
        .annotate(
            has_jobs=Exists(_jobs_waiting(OuterRef("computer_id"), now)),
            has_orders=Exists(_orders_waiting(OuterRef("computer_id"), now)),
        )
        .values_list(
            "computer__auth_version",
            "computer__organisation_id",
            "computer__status",
            "public_key",
            "computer__state__etag",
            "has_jobs",
            "has_orders",
        )
        .first()
    )
    if row is None:
        return None
    version, organisation, status, key, etag, has_jobs, has_orders = row
    waiting = (("jobs", has_jobs), ("orders", has_orders))
    work = ", ".join(name for name, is_waiting in waiting if is_waiting)
    return AgentEntry(version, organisation, status, bytes(key), etag or "", work)


def _jobs_waiting(computer: OuterRef, now: datetime) -> QuerySet[Job]:
    jobs: QuerySet[Job] = Job.objects.filter(
        computer_id=computer,
        status=JobStatus.QUEUED,
        not_before__lte=now,
        not_after__gt=now,
    )
    return jobs


def _orders_waiting(computer: OuterRef, now: datetime) -> QuerySet[Order]:
    orders: QuerySet[Order] = Order.objects.filter(
        computer_id=computer,
        signed__isnull=False,
        acknowledged_at__isnull=True,
        not_after__gt=now,
    )
    return orders
