"""A computer with everything that the endpoints speak of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.http import HttpResponse

from admin_site.computers.models import Computer
from admin_site.computers.orders import give_order
from admin_site.core import clock
from admin_site.jobs.models import Job
from admin_site.jobs.progress import lease_jobs
from admin_site.scripts.models import ScriptVersion
from client_agent.protocol.facts import FactsRequest, facts_digest
from client_agent.protocol.jobs import (
    EndReason,
    LeaseRequest,
    OutputRequest,
    ResultRequest,
)
from client_agent.protocol.orders import OrderKind
from client_agent.protocol.reports import EventRecord, ReportRequest
from tests.admin_site.backend_objects import (
    Device,
    Tenant,
    make_computer,
    make_run,
    make_script,
    make_tenant,
    only_job,
    run_deferred,
)

# Method of every endpoint that a link key opens.
ENDPOINTS = {
    "state": "GET",
    "lease": "POST",
    "output": "POST",
    "result": "POST",
    "orders": "GET",
    "blob": "GET",
    "reports": "POST",
    "facts": "PATCH",
}
FACTS: dict[str, Any] = {"memory": {"bytes": 8 * 2**30}, "host-name": "pc-1"}


def event_record(seq: int, **changes: Any) -> EventRecord:
    """An event that a computer reports."""
    fields: dict[str, Any] = {"seq": seq, "at": clock.now(), "code": "started"}
    return EventRecord(**fields | changes)


@dataclass
class Api:
    """One computer with a leased job, a second queued one and an order."""

    norrby: Tenant
    computer: Computer
    device: Device
    script: ScriptVersion
    job: Job

    def path(self, endpoint: str) -> str:
        """Below ``/agent/v1/``."""
        return {
            "lease": "jobs/lease",
            "output": f"jobs/{self.job.pk}/output",
            "result": f"jobs/{self.job.pk}/result",
            "orders": "orders?after=0",
            "blob": f"blobs/{self.script.sha256}",
        }.get(endpoint, endpoint)

    def message(self, endpoint: str) -> object:
        """One that the endpoint accepts."""
        lease_id = self.job.lease_id
        assert lease_id is not None
        now = clock.now()
        return {
            "lease": LeaseRequest(request_id=uuid4()),
            "output": OutputRequest(lease_id=lease_id, offset=0, data=b"line\n"),
            "result": ResultRequest(
                lease_id=lease_id, reason=EndReason.EXIT, finished_at=now, exit_status=0
            ),
            "reports": ReportRequest(stream=uuid4(), records=[event_record(1)]),
            "facts": FactsRequest(changed=FACTS, digest=facts_digest(FACTS)),
        }.get(endpoint)

    def ask(
        self, endpoint: str, message: object = None, **changes: Any
    ) -> HttpResponse:
        """As this computer, with a good message unless another is given."""
        if message is None:
            message = self.message(endpoint)
        device = changes.pop("device", self.device)
        method = changes.pop("method", ENDPOINTS[endpoint])
        answer: HttpResponse = device.ask(
            method, self.path(endpoint), message, **changes
        )
        return answer


def leased_job(tenant: Tenant, computer: Computer, script: ScriptVersion) -> Job:
    """The job of a new run, handed out to the computer."""
    run = make_run(tenant, [computer], script)
    with tenant.scope():
        request = LeaseRequest(request_id=uuid4(), limit=8)
        lease_jobs(computer=computer, request=request, now=clock.now())
        return only_job(run)


def order_of(
    tenant: Tenant, computer: Computer, job: UUID, *, now: datetime | None = None
) -> None:
    """A signed order to cancel `job`."""
    with tenant.scope():
        give_order(
            computer=computer,
            kind=OrderKind.CANCEL_JOB,
            arguments={"job": str(job)},
            by=tenant.admin,
            now=now or clock.now(),
        )
    run_deferred()


def make_api(slug: str = "norrby", script: ScriptVersion | None = None) -> Api:
    norrby = make_tenant(slug)
    computer, device = make_computer(norrby)
    script = script or make_script()
    job = leased_job(norrby, computer, script)
    order_of(norrby, computer, job.pk)
    make_run(norrby, [computer], script)
    return Api(norrby, computer, device, script, job)


@pytest.fixture
def api(db: None) -> Api:
    return make_api()
