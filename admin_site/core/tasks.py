"""Background work: tasks that belong to an organisation, and sweeps over all of them.

Tasks are deferred inside the transaction that makes them necessary and carry ids,
never personal data. Delivery is at least once: every task may run twice.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import procrastinate
import structlog
from django.db import close_old_connections, connection
from procrastinate.contrib.django import app

from admin_site.core.tenancy import scoped

log = structlog.get_logger(__name__)

RETRY = procrastinate.RetryStrategy(max_attempts=20, wait=1, exponential_wait=2)


class TenantTask:
    """A registered task; `defer` is part of the caller's transaction."""

    def __init__(self, name: str) -> None:
        self.name = name

    def defer(self, organisation_id: UUID, **ids: Any) -> None:
        """Have the worker run this for `organisation_id` once we commit."""
        defer_by_name(self.name, organisation_id, **ids)


def defer_by_name(name: str, organisation_id: UUID, **ids: Any) -> None:
    """Defer a task of an app above ours, which we may not import."""
    app.configure_task(name).defer(
        organisation_id=str(organisation_id),
        **{
            key: str(value) if isinstance(value, UUID) else value
            for key, value in ids.items()
        },
    )


def tenant_task(name: str) -> Callable[[Callable[..., None]], TenantTask]:
    """Register a function that gets ``organisation_id`` and runs in its scope."""

    def register(function: Callable[..., None]) -> TenantTask:
        def run(*, organisation_id: str, **ids: Any) -> None:
            close_old_connections()
            try:
                organisation = UUID(organisation_id)
                with scoped([organisation]):
                    function(organisation_id=organisation, **ids)
            finally:
                connection.close()

        app.task(name=name, retry=RETRY)(run)
        return TenantTask(name)

    return register


def sweep(name: str, *, cron: str) -> Callable[[Callable[[UUID], None]], TenantTask]:
    """Register a function that the worker calls for each organisation on a schedule.

    One organisation's failure is logged and does not keep the others waiting.
    """

    def register(function: Callable[[UUID], None]) -> TenantTask:
        def run(timestamp: int) -> None:
            close_old_connections()
            try:
                for organisation in all_organisation_ids():
                    try:
                        with scoped([organisation]):
                            function(organisation)
                    except Exception:
                        log.exception("sweep-failed", task=name)
            finally:
                connection.close()

        app.periodic(cron=cron)(app.task(name=name, pass_context=False)(run))
        return TenantTask(name)

    return register


def task_without_tenant(
    name: str, *, cron: str
) -> Callable[[Callable[[datetime], None]], TenantTask]:
    """Register a scheduled function that sees no tenant's rows and is given "now"."""

    def register(function: Callable[[datetime], None]) -> TenantTask:
        def run(timestamp: int) -> None:
            close_old_connections()
            try:
                function(datetime.fromtimestamp(timestamp, UTC))
            finally:
                connection.close()

        app.periodic(cron=cron)(app.task(name=name, pass_context=False)(run))
        return TenantTask(name)

    return register


def all_organisation_ids() -> list[UUID]:
    """Ids of every organisation: for sweeps and the operator's commands only."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenancy_all_organisations()")
        return [row[0] for row in cursor.fetchall()]
