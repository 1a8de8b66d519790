"""Ordering and cancelling runs, and the signing in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from admin_site.accounts.models import User
from admin_site.audit.services import MASK
from admin_site.computers import signing
from admin_site.computers.models import Computer, Order, SigningKey
from admin_site.computers.states import MANAGED, ComputerStatus
from admin_site.core.errors import NotAllowed
from admin_site.jobs.models import Job, Run
from admin_site.jobs.progress import end_overdue_jobs
from admin_site.jobs.services import (
    JOB_LIFETIME,
    NothingToRunOn,
    cancel_run,
    create_run,
)
from admin_site.jobs.states import ENDED, JobStatus, RunStatus
from admin_site.tenancy.roles import Role
from client_agent.protocol import codec
from client_agent.protocol.jobs import JobDocument
from client_agent.protocol.sealing import Sealed, unseal
from client_agent.protocol.signed import Kind, open_document
from scripts.arguments import ArgumentErrors
from tests.admin_site.backend_objects import (
    NOW,
    Device,
    audit_actions,
    call_all,
    deferred,
    last_event,
    make_computer,
    make_enrolment,
    make_member,
    make_run,
    make_script,
    make_tenant,
    nothing_changes,
    only_job,
    run_deferred,
    run_task,
)
from tests.admin_site.jobs.conftest import Bench

MINUTE = timedelta(minutes=1)
PARAMETERS: list[dict[str, Any]] = [
    {"type": "string", "name": "greeting", "required": True},
    {"type": "secret", "name": "password"},
    {"type": "integer", "name": "times", "default": 2},
]
SECRET = "correct horse battery staple"


def _create(bench: Bench, **changes: Any) -> Run:
    given = {
        "site": bench.norrby.site,
        "script_version": bench.script,
        "arguments": {},
        "computers": [bench.computer],
        "by": bench.norrby.admin,
        "request_id": uuid4(),
        "now": NOW,
        **changes,
    }
    return create_run(**given)


# --- ordering -----------------------------------------------------------------------


def test_a_run_has_a_waiting_job_for_each_computer(bench: Bench) -> None:
    other, _device = make_computer(bench.norrby, "pc-2")
    run = _create(bench, computers=[bench.computer, other, bench.computer])
    jobs = Job.objects.filter(run=run)
    assert {job.computer_id for job in jobs} == {bench.computer.pk, other.pk}
    assert len(jobs) == 2
    for job in jobs:
        assert (job.status, job.signed, job.limit_seconds) == ("waiting", None, 600)
        assert (job.not_before, job.not_after) == (NOW, NOW + JOB_LIFETIME)
    assert deferred() == ["jobs.sign_run"]
    event = last_event("run.created")
    assert event.after["script"] == "say-hello"
    assert event.after["version"] == "1.2.3"
    assert sorted(event.after["computers"]) == sorted(
        [str(bench.computer.pk), str(other.pk)]
    )


def test_the_second_click_gets_the_run_of_the_first(bench: Bench) -> None:
    request = uuid4()
    first = _create(bench, request_id=request)
    with nothing_changes():
        again = _create(bench, request_id=request, computers=[], now=NOW + MINUTE)
    assert again.pk == first.pk
    assert _create(bench).pk != first.pk


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_make_one_run() -> None:
    norrby = make_tenant()
    computer, device = make_computer(norrby)
    bench = Bench(norrby, computer, device, make_script())
    request = uuid4()

    def click() -> UUID:
        with norrby.scope():
            return _create(bench, request_id=request).pk

    assert len(set(call_all([click] * 4))) == 1
    with norrby.scope():
        assert Job.objects.count() == Run.objects.count() == 1
        assert audit_actions().count("run.created") == 1


@pytest.mark.parametrize("status", sorted(set(ComputerStatus) - MANAGED))
def test_a_computer_that_is_not_managed_runs_nothing(
    bench: Bench, status: ComputerStatus
) -> None:
    bench.computer.status = status
    with nothing_changes(), pytest.raises(NothingToRunOn):
        _create(bench)


def test_only_those_that_can_run_get_a_job(bench: Bench) -> None:
    enrolment, _device = make_enrolment(bench.norrby)
    run = _create(bench, computers=[enrolment.computer, bench.computer])
    assert only_job(run).computer == bench.computer


def test_a_computer_of_another_site_runs_nothing_here(bench: Bench) -> None:
    Computer.objects.filter(pk=bench.computer.pk).update(site=bench.norrby.other_site)
    bench.computer.refresh_from_db()
    for computers in ([], [bench.computer]):
        with nothing_changes(), pytest.raises(NothingToRunOn):
            _create(bench, computers=computers)


@pytest.mark.parametrize("role", [Role.FRONT_DESK, Role.AUDITOR])
def test_who_may_not_run_neither_orders_nor_cancels(bench: Bench, role: Role) -> None:
    run = _create(bench)
    for user in (
        make_member(bench.norrby, role),
        make_member(bench.norrby, Role.ORGANISATION_ADMIN, bench.norrby.other_site),
    ):
        _refuses(bench, run, user)
    _refuses(bench, run, make_tenant("soderby").admin)


def _refuses(bench: Bench, run: Run, user: User) -> None:
    with nothing_changes():
        with pytest.raises(NotAllowed):
            _create(bench, by=user)
        with pytest.raises(NotAllowed):
            cancel_run(run=run, by=user, now=NOW)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"greeting": 3}, {"greeting": "hi", "times": "x"}, {"greeting": "", "a": 1}],
)
def test_wrong_arguments_order_nothing(bench: Bench, arguments: dict[str, Any]) -> None:
    script = make_script("with-parameters", parameters=PARAMETERS)
    with nothing_changes(), pytest.raises(ArgumentErrors):
        _create(bench, script_version=script, arguments=arguments)


# --- secrets ------------------------------------------------------------------------


@pytest.fixture
def secret_run(bench: Bench) -> tuple[Run, dict[UUID, Device]]:
    """A run with a secret on two computers."""
    script = make_script("with-parameters", parameters=PARAMETERS)
    other, device = make_computer(bench.norrby, "pc-2")
    run = _create(
        bench,
        script_version=script,
        arguments={"greeting": "hi", "password": SECRET},
        computers=[bench.computer, other],
    )
    return run, {bench.computer.pk: bench.device, other.pk: device}


def test_a_secret_is_sealed_to_each_computer_and_kept_nowhere_else(
    bench: Bench, secret_run: tuple[Run, dict[UUID, Device]]
) -> None:
    run, devices = secret_run
    run.refresh_from_db()
    assert run.arguments == {"greeting": "hi", "times": 2}
    event = last_event("run.created")
    assert event.after["arguments"] == {**run.arguments, "password": MASK}
    jobs = list(Job.objects.filter(run=run))
    assert SECRET not in str(event.__dict__) + str([job.__dict__ for job in jobs])
    sealed = {job.pk: _sealed(job) for job in jobs}
    assert len({each.box for each in sealed.values()}) == 2
    for job in jobs:
        own = devices[job.computer_id].seal
        place = f"job:{job.pk}:password"
        opened = unseal(sealed[job.pk], key=own, computer=job.computer_id, place=place)
        assert opened.decode() == SECRET


def _sealed(job: Job) -> Sealed:
    return codec.convert(Sealed, job.sealed_secrets["password"])


def test_the_signed_job_carries_the_sealed_secret(
    bench: Bench, secret_run: tuple[Run, dict[UUID, Device]]
) -> None:
    run, _devices = secret_run
    run_deferred()
    for job in Job.objects.filter(run=run):
        document = _opened(job)
        assert document.secrets == {"password": _sealed(job)}
        assert document.arguments == {"greeting": "hi", "times": 2}
        assert SECRET not in str(document)


# --- signing ------------------------------------------------------------------------


def _opened(job: Job) -> JobDocument:
    assert job.signed is not None
    return open_document(
        signing.stored_document(job.signed),
        Kind.JOB,
        JobDocument,
        public_key=bytes(SigningKey.objects.get().public_key),
    )


def test_the_worker_signs_and_queues_once(bench: Bench) -> None:
    run = bench.run()
    job = only_job(run)
    assert job.status == JobStatus.QUEUED
    document = _opened(job)
    assert (document.id, document.computer) == (job.pk, bench.computer.pk)
    assert (document.not_before, document.not_after) == (NOW, NOW + JOB_LIFETIME)
    assert (document.script.slug, document.limit_seconds) == ("say-hello", 600)
    assert document.script.sha256 == bench.script.sha256
    with nothing_changes():
        run_task(
            "jobs.sign_run", organisation_id=str(bench.norrby.id), run_id=str(run.pk)
        )


def test_a_job_that_was_cancelled_before_signing_is_not_signed(bench: Bench) -> None:
    run = _create(bench)
    cancel_run(run=run, by=bench.norrby.admin, now=NOW)
    run_deferred()
    assert (only_job(run).status, only_job(run).signed) == ("cancelled", None)


def test_a_sweep_ends_what_is_overdue(bench: Bench) -> None:
    run = bench.run()
    run_task("jobs.end_overdue", timestamp=0)
    assert only_job(run).status == JobStatus.EXPIRED


# --- cancelling ---------------------------------------------------------------------

NOT_ENDED = [each for each in JobStatus if each not in ENDED]


@pytest.mark.parametrize("status", list(JobStatus))
def test_cancelling_at_each_status(bench: Bench, status: JobStatus) -> None:
    run = _create(bench)
    Job.objects.filter(run=run).update(status=status, lease_id=uuid4())
    told = cancel_run(run=run, by=bench.norrby.admin, now=NOW + MINUTE)
    job = only_job(run)
    run.refresh_from_db()
    orders = list(Order.objects.all())
    if status in ENDED:
        assert (told, job.status, job.cancel_requested_at) == (0, status, None)
        assert "run.cancelled" not in audit_actions()
        assert orders == []
    elif status in (JobStatus.WAITING, JobStatus.QUEUED):
        assert (told, job.status) == (1, JobStatus.CANCELLED)
        assert run.status == RunStatus.DONE
        assert orders == []
    else:
        assert (told, job.status) == (1, status)
        assert job.cancel_requested_at == NOW + MINUTE
        assert run.status == RunStatus.ROLLING
        assert [order.arguments for order in orders] == [{"job": str(job.pk)}]


@pytest.mark.parametrize("status", NOT_ENDED)
def test_cancelling_twice_orders_once(bench: Bench, status: JobStatus) -> None:
    run = _create(bench)
    Job.objects.filter(run=run).update(status=status)
    assert cancel_run(run=run, by=bench.norrby.admin, now=NOW) == 1
    with nothing_changes():
        assert cancel_run(run=run, by=bench.norrby.admin, now=NOW + MINUTE) == 0
    assert last_event("run.cancelled").after == {"jobs": 1}


def test_a_cancelled_job_ends_when_nothing_is_heard_of_it(bench: Bench) -> None:
    run = _create(bench)
    Job.objects.filter(run=run).update(status="running", leased_until=NOW + MINUTE)
    cancel_run(run=run, by=bench.norrby.admin, now=NOW)
    end_overdue_jobs(organisation_id=bench.norrby.id, now=NOW + MINUTE)
    assert only_job(run).status == JobStatus.LOST


@pytest.mark.django_db(transaction=True)
def test_two_runs_on_the_same_computers_can_be_cancelled_at_once() -> None:
    norrby = make_tenant()
    computers = [make_computer(norrby, f"pc-{number}")[0] for number in range(3)]
    script = make_script()
    runs = [make_run(norrby, computers, script) for _each in range(3)]
    with norrby.scope():
        Job.objects.update(status=JobStatus.RUNNING)

    def cancel(run: Run) -> int:
        with norrby.scope():
            return cancel_run(run=run, by=norrby.admin, now=NOW)

    def calls(run: Run) -> Any:
        return lambda: cancel(run)

    assert call_all([calls(run) for run in runs]) == [3, 3, 3]
    with norrby.scope():
        for computer in computers:
            numbers = Order.objects.filter(computer=computer).values_list("seq")
            assert sorted(numbers) == [(1,), (2,), (3,)]
