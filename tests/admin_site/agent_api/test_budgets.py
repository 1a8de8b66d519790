"""How many queries each endpoint may ask, with one row and with fifty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from admin_site.computers.models import Computer, Order
from admin_site.core import clock
from admin_site.core.windows import Limit
from admin_site.jobs.models import Job, OutputChunk, Run
from client_agent.protocol import codec, limits
from client_agent.protocol.facts import FactsRequest, facts_digest
from client_agent.protocol.jobs import LeaseRequest, OutputRequest
from client_agent.protocol.reports import (
    Compliance,
    ComplianceRecord,
    OrderRecord,
    Record,
    ReportRequest,
)
from tests.admin_site.agent_api.conftest import ENDPOINTS, Api, event_record
from tests.admin_site.backend_objects import (
    Device,
    new_token,
    send,
    statements,
)

ROWS = 50

# Every change of a number is one that somebody reviews. Savepoints, which only tests
# have, do not count; what sets and restores the scope does.
BUDGETS = {
    "enrol": 12,
    "state": 12,  # of the first contact; later ones ask 8
    "lease": 18,  # one for each of the eight jobs that can be leased at once
    "output": 11,
    "result": 12,
    "orders": 8,
    "blob": 8,
    "reports": 15,
    "facts": 10,
}


def _copies(
    instance: models.Model, number: int, **changes: Callable[[int], Any]
) -> None:
    """Insert `number` rows like `instance`, each with another key."""
    kind = type(instance)
    values = {
        f.attname: getattr(instance, f.attname) for f in kind._meta.concrete_fields
    }
    kind._base_manager.bulk_create(
        kind(
            **{
                **values,
                kind._meta.pk.attname: uuid4(),
                **{name: make(index) for name, make in changes.items()},
            }
        )
        for index in range(number)
    )


def _fill(api: Api) -> None:
    """Fifty of whatever an endpoint could walk through."""
    more = ROWS - 1
    with api.norrby.scope():
        job = Job.objects.get(pk=api.job.pk)
        queued = Job.objects.exclude(pk=job.pk).get()
        uids = [uuid4() for _each in range(more)]
        runs = [uuid4() for _each in range(more)]
        _copies(api.computer, more, uid=lambda index: uids[index])
        _copies(job, more, computer_id=lambda index: uids[index])
        _copies(
            queued.run,
            more,
            id=lambda index: runs[index],
            request_id=lambda index: uuid4(),
        )
        _copies(queued, more, run_id=lambda index: runs[index])
        _copies(Order.objects.get(), more, seq=lambda index: index + 2)
        OutputChunk.objects.bulk_create(
            OutputChunk(
                organisation_id=api.norrby.id,
                created_at=job.created_at,
                job_id=job.pk,
                offset=offset,
                data=b"x",
            )
            for offset in range(more)
        )
        Job.objects.filter(pk=job.pk).update(output_bytes=more)
        assert Run.objects.count() == ROWS + 1
        assert Computer.objects.count() == ROWS


def _records(rows: int) -> ReportRequest:
    now = clock.now()
    records: list[Record] = []
    for number in range(1, rows + 1):
        seq = 3 * number
        status = Compliance.REMOVED if number % 2 else Compliance.COMPLIANT
        records += [
            event_record(seq),
            ComplianceRecord(
                seq=seq + 1,
                at=now,
                setting=f"setting-{number}",
                status=status,
                revision=1,
            ),
            OrderRecord(seq=seq + 2, at=now, order=number),
        ]
    return ReportRequest(stream=uuid4(), records=records)


def _message(api: Api, endpoint: str, rows: int) -> object:
    """The most that a request of this size can ask for."""
    if endpoint == "lease":
        return LeaseRequest(request_id=uuid4(), limit=limits.LEASED_JOBS)
    if endpoint == "output":
        assert api.job.lease_id is not None
        offset = rows - 1
        return OutputRequest(lease_id=api.job.lease_id, offset=offset, data=b"x")
    if endpoint == "reports":
        return _records(rows)
    if endpoint == "facts":
        facts: dict[str, Any] = {f"fact-{number}": number for number in range(rows)}
        return FactsRequest(facts, facts_digest(facts), replaces=True)
    return None


@pytest.mark.parametrize("rows", [1, ROWS])
@pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
def test_no_endpoint_asks_more_than_its_budget(
    api: Api, endpoint: str, rows: int
) -> None:
    if rows > 1:
        _fill(api)
    message = _message(api, endpoint, rows)
    with CaptureQueriesContext(connection) as queries:
        response = api.ask(endpoint, message)
    assert response.status_code in (200, 204)
    asked = statements(queries)
    assert len(asked) <= BUDGETS[endpoint], "\n".join(asked)


@pytest.mark.parametrize("rows", [1, ROWS])
def test_enrolling_asks_no_more_than_its_budget(
    api: Api, rows: int, settings: Settings
) -> None:
    settings.ENROLMENT_LIMIT = Limit("enrolment", rows + 1, 60)
    token = new_token(api.norrby, uses=rows + 1)
    for _each in range(rows - 1):
        _enrol(token)
    with CaptureQueriesContext(connection) as queries:
        _enrol(token)
    asked = statements(queries)
    assert len(asked) <= BUDGETS["enrol"], "\n".join(asked)


def _enrol(token: str) -> None:
    body = codec.encode(Device().enrolment(token))
    assert send("POST", "/agent/v1/enrolments", body).status_code == 200
