"""Background tasks, run by a real worker in this process."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from procrastinate.contrib.django import app
from redis.exceptions import ConnectionError as RedisGone

from admin_site.computers import agent_cache
from admin_site.computers.agent_cache import AgentEntry
from admin_site.core import tasks
from admin_site.core.tasks import sweep, task_without_tenant, tenant_task
from admin_site.core.tenancy import organisations_in_scope, scoped
from admin_site.tenancy.models import Organisation, Site
from admin_site.tenancy.services import create_organisation, create_site
from tests.admin_site.backend_objects import BY, deferred, run_deferred

pytestmark = pytest.mark.django_db(transaction=True)

SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def _seen() -> Iterator[None]:
    """Empty before and after, tasks of this test only."""
    known = dict(app.tasks)
    SEEN.clear()
    yield
    SEEN.clear()
    for name in app.tasks.keys() - known.keys():
        del app.tasks[name]


@pytest.fixture
def organisations() -> list[UUID]:
    """Two, each with a site of its own."""
    made = []
    for slug in ("norrby", "soderby"):
        organisation = create_organisation(name=slug.title(), slug=slug, by=BY)
        made.append(organisation.pk)
        with scoped([organisation.pk]):
            create_site(organisation=organisation, name=slug, code=slug, by=BY)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    return made


@async_to_sync
async def _work() -> None:
    """What `manage.py worker` does, until nothing is left."""
    connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
    with app.replace_connector(connector) as worker_app:
        async with worker_app.open_async():
            await worker_app.run_worker_async(
                wait=False,
                install_signal_handlers=False,
                delete_jobs="successful",
                listen_notify=False,
            )


def _jobs() -> list[tuple[str, str, int]]:
    """What is left, but for the periodic task that the cache's absence fails."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT task_name, status::text, attempts FROM procrastinate_jobs "
            "WHERE task_name <> 'computers.flush_presence'"
        )
        return [tuple(row) for row in cursor.fetchall()]


def test_a_task_runs_in_the_scope_of_its_organisation(
    organisations: list[UUID],
) -> None:
    @tenant_task("test.look")
    def look(*, organisation_id: UUID, number: int, site: str) -> None:
        codes = list(Site.objects.values_list("code", flat=True))
        SEEN.append((organisation_id, organisations_in_scope(), codes, number, site))

    site = UUID(int=5)
    for each in organisations:
        look.defer(each, number=7, site=site)
    _work()
    assert sorted(SEEN) == sorted(
        (each, (each,), [code], 7, str(site))
        for each, code in zip(organisations, ("norrby", "soderby"), strict=True)
    )
    assert _jobs() == []
    assert organisations_in_scope() == ()


def test_a_task_is_deferred_with_the_transaction_or_not_at_all(
    organisations: list[UUID],
) -> None:
    @tenant_task("test.note")
    def note(*, organisation_id: UUID) -> None:
        SEEN.append(organisation_id)

    with scoped([organisations[0]]):
        note.defer(organisations[0])
        transaction.set_rollback(True)
    _work()
    assert not SEEN
    with scoped([organisations[0]]):
        note.defer(organisations[0])
    _work()
    assert organisations[:1] == SEEN


def test_a_task_that_fails_writes_nothing_and_is_tried_again(
    organisations: list[UUID], caplog: pytest.LogCaptureFixture
) -> None:
    @tenant_task("test.fail")
    def fail(*, organisation_id: UUID) -> None:
        Site.objects.update(name="changed")
        raise LookupError("the first time")

    fail.defer(organisations[0])
    with caplog.at_level(logging.CRITICAL, "procrastinate"):
        _work()
    assert _jobs() == [("test.fail", "todo", 1)]
    with scoped(organisations):
        assert not Site.objects.filter(name="changed").exists()


def test_a_sweep_goes_on_after_an_organisation_that_fails(
    organisations: list[UUID], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = sorted(organisations)

    @sweep("test.sweep", cron="0 0 1 1 *")
    def visit(organisation: UUID) -> None:
        SEEN.append((organisation, list(Site.objects.values_list("name", flat=True))))
        Site.objects.update(name="swept")
        if organisation == first:
            raise LookupError("this one only")

    app.tasks["test.sweep"].func(timestamp=0)
    assert [organisation for organisation, _names in SEEN] == [first, second]
    assert all(len(names) == 1 for _organisation, names in SEEN)
    with scoped(organisations):
        swept = Site.objects.filter(name="swept")
        assert [each.organisation_id for each in swept] == [second]
    (record,) = [r for r in caplog.records if r.name == "admin_site.core.tasks"]
    assert "sweep-failed" in record.getMessage()


def test_a_sweep_is_told_by_the_worker_when_it_is_due(
    organisations: list[UUID],
) -> None:
    app.configure_task("computers.expire_enrolments").defer(timestamp=0)
    app.configure_task("jobs.end_overdue").defer(timestamp=0)
    _work()
    assert _jobs() == []


def test_a_task_without_a_tenant_sees_no_tenant(organisations: list[UUID]) -> None:
    @task_without_tenant("test.nobody", cron="0 0 1 1 *")
    def look(now: datetime) -> None:
        with transaction.atomic():
            SEEN.append((now, list(Organisation.objects.all())))

    app.tasks["test.nobody"].func(timestamp=1_770_000_000)
    ((now, seen),) = SEEN
    assert now == datetime.fromtimestamp(1_770_000_000, UTC)
    assert seen == []


def test_all_organisations_are_swept(organisations: list[UUID]) -> None:
    assert tasks.all_organisation_ids() == sorted(organisations)


def test_an_invalidation_is_repeated_until_the_cache_answers(
    organisations: list[UUID],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    uid = UUID(int=9)
    agent_cache.remember(
        uid, AgentEntry(3, organisations[0], "active", b"k" * 32, "", "")
    )
    tasks.defer_by_name(
        "computers.forget_again",
        organisations[0],
        versions={str(uid): 4},
        nudge="state",
    )
    with monkeypatch.context() as patch, caplog.at_level(60, "procrastinate"):
        patch.setattr(agent_cache, "client", _no_cache)
        _work()
    assert _jobs() == [("computers.forget_again", "todo", 1)]
    assert agent_cache.client().hget(agent_cache.key_of(uid), "e") is not None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")
    _work()
    assert _jobs() == []
    assert agent_cache.client().hgetall(agent_cache.key_of(uid)) == {b"v": b"4"}


def _no_cache() -> Any:
    raise RedisGone("Valkey is away")


def test_tasks_carry_ids_only(organisations: list[UUID]) -> None:
    with connection.cursor() as cursor:
        tasks.defer_by_name(
            "computers.sign_orders", organisations[0], computer_uid=UUID(int=3)
        )
        cursor.execute("SELECT args FROM procrastinate_jobs")
        arguments = cursor.fetchone()[0]
    arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    assert arguments == {
        "organisation_id": str(organisations[0]),
        "computer_uid": str(UUID(int=3)),
    }
    assert deferred() == ["computers.sign_orders"]
    assert run_deferred() == ["computers.sign_orders"]
