"""A tenant with one computer and one script, and a queued job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from admin_site.computers.models import Computer
from admin_site.jobs.models import Job, Run
from admin_site.jobs.progress import lease_jobs
from admin_site.scripts.models import ScriptVersion
from client_agent.protocol.jobs import LeaseRequest
from tests.admin_site.backend_objects import (
    NOW,
    Device,
    Tenant,
    make_computer,
    make_run,
    make_script,
    make_tenant,
    only_job,
)


@dataclass(frozen=True)
class Bench:
    """What a job needs. `norrby`'s scope is entered."""

    norrby: Tenant
    computer: Computer
    device: Device
    script: ScriptVersion

    def run(self) -> Run:
        """A signed run of the script on the computer, ordered at `NOW`."""
        return make_run(self.norrby, [self.computer], self.script, now=NOW)

    def leased(self) -> Job:
        """The job of a new run, handed out at `NOW`."""
        run = self.run()
        lease_jobs(
            computer=self.computer,
            request=LeaseRequest(request_id=uuid4(), limit=8),
            now=NOW,
        )
        return only_job(run)


@pytest.fixture
def bench(db: None) -> Iterator[Bench]:
    """In the scope of its organisation."""
    norrby = make_tenant()
    computer, device = make_computer(norrby)
    script = make_script()
    with norrby.scope():
        yield Bench(norrby, computer, device, script)
