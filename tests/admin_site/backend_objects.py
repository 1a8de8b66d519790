"""Tenants, scripts, computers and their signed requests, for tests of the back end.

Everything is made by the services that the pages and endpoints call.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from unittest import mock
from uuid import UUID, uuid4

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.db import connection, connections
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django import app
from psycopg.sql import SQL, Identifier

from admin_site.accounts.models import User
from admin_site.audit.models import AuditEvent
from admin_site.audit.services import system_actor
from admin_site.computers.enrolment import (
    approve_enrolment,
    issue_token,
    request_enrolment,
)
from admin_site.computers.models import Computer, Enrolment
from admin_site.core import clock
from admin_site.core.blobs import store_blob
from admin_site.core.tasks import all_organisation_ids
from admin_site.core.tenancy import scoped
from admin_site.jobs.models import Job, Run
from admin_site.jobs.services import create_run
from admin_site.scripts.models import Script, ScriptVersion
from admin_site.tenancy.models import Organisation, Site
from admin_site.tenancy.roles import Role
from admin_site.tenancy.services import add_member, create_organisation, create_site
from client_agent.protocol import codec, keys
from client_agent.protocol.auth import make_token
from client_agent.protocol.enrolment import (
    PROOF_PURPOSE,
    EnrolmentClaim,
    EnrolmentFacts,
    EnrolmentRequest,
    Product,
)
from client_agent.protocol.errors import Problem
from scripts.metadata import ScriptMetadata

T = TypeVar("T")

BY = system_actor("test")
NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
ORIGIN = "http://testserver"
MINUTE = timedelta(minutes=1)


# --- the database -------------------------------------------------------------------


def run_deferred() -> list[str]:
    """Run the tasks deferred so far and those that they defer; returns their names."""
    done = []
    while (task := _take_task()) is not None:
        name, arguments = task
        run_task(name, **arguments)
        done.append(name)
    return done


def run_task(name: str, **arguments: Any) -> None:
    """Run a registered task as the worker would, but for closing the connection.

    The test's transaction must outlive it.
    """
    with mock.patch.object(connections["default"], "close"):
        app.tasks[name].func(**arguments)


def deferred() -> list[str]:
    """Names of the tasks that wait to be run, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT task_name FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id"
        )
        return [row[0] for row in cursor.fetchall()]


def _take_task() -> tuple[str, dict[str, Any]] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_jobs WHERE id = (SELECT min(id) "
            "FROM procrastinate_jobs WHERE status = 'todo') RETURNING task_name, args"
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return row[0], json.loads(row[1]) if isinstance(row[1], str) else row[1]


_DIGEST = SQL(
    "SELECT count(*) || ' ' || coalesce(md5(string_agg(r::text, '|' ORDER BY r::text)),"
    " '') FROM {} AS r"
)


def database_contents() -> dict[str, str]:
    """A digest of each table's rows, of all organisations."""
    contents = {}
    with scoped(all_organisation_ids()), connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(_DIGEST.format(Identifier(table)))
            contents[table] = cursor.fetchone()[0]
    return contents


@contextmanager
def nothing_changes() -> Iterator[None]:
    """Fail unless the database holds afterwards exactly what it held before."""
    before = database_contents()
    yield
    after = database_contents()
    assert {name: after[name] for name in after if after[name] != before[name]} == {}


def statements(queries: CaptureQueriesContext) -> list[str]:
    """What was asked, without the savepoints that only tests have."""
    return [
        query["sql"]
        for query in queries.captured_queries
        if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "ROLLBACK TO"))
    ]


def audit_actions() -> list[str]:
    """Actions of the events in scope, in the order of their happening."""
    return list(AuditEvent.objects.order_by("at").values_list("action", flat=True))


def last_event(action: str) -> AuditEvent:
    """The newest event of that action in scope."""
    return AuditEvent.objects.filter(action=action).latest("at")


# --- tenants and scripts ------------------------------------------------------------


@dataclass(frozen=True)
class Tenant:
    """An organisation with a signing key, two sites and an admin of the whole."""

    organisation: Organisation
    site: Site
    other_site: Site
    admin: User

    @property
    def id(self) -> UUID:
        return self.organisation.pk

    def scope(self) -> AbstractContextManager[None]:
        return scoped([self.organisation.pk])


def make_user(name: str) -> User:
    """A person without any role."""
    return User.objects.create_user(f"{name}@example.org", name=name.title())


def make_member(tenant: Tenant, role: Role, site: Site | None = None) -> User:
    """A new person with one role, at one site or at all of them."""
    user = make_user(f"{role.value}.{uuid4().hex[:6]}")
    with tenant.scope():
        add_member(
            organisation=tenant.organisation, user=user, role=role, site=site, by=BY
        )
    return user


def make_tenant(slug: str = "norrby") -> Tenant:
    """Create it, and let the worker's tasks run."""
    organisation = create_organisation(name=slug.title(), slug=slug, by=BY)
    admin = make_user(f"admin.{slug}")
    with scoped([organisation.pk]):
        sites = [
            create_site(organisation=organisation, name=code.title(), code=code, by=BY)
            for code in ("library", "branch")
        ]
        add_member(
            organisation=organisation,
            user=admin,
            role=Role.ORGANISATION_ADMIN,
            by=BY,
        )
    run_deferred()
    return Tenant(organisation, sites[0], sites[1], admin)


def make_script(
    slug: str = "say-hello",
    *,
    parameters: list[dict[str, Any]] | None = None,
    content: bytes = b"#!/usr/bin/python3\nprint('hello')\n",
    limit_seconds: int = 600,
) -> ScriptVersion:
    """A script of the library with its blob."""
    texts = {"en": "Say", "da": "Sig", "sv": "Tala"}
    metadata = codec.convert(
        ScriptMetadata,
        {
            "slug": slug,
            "category": "tests",
            "version": "1.2.3",
            "title": texts,
            "description": texts,
            "products": ["desktop"],
            "releases": ["debian-13"],
            "risk": "reads",
            "needs_agent": "0.1.0",
            "expected_seconds": 1,
            "limit_seconds": limit_seconds,
            "parameters": [
                {"title": texts, "help": texts, **each} for each in parameters or []
            ],
        },
    )
    script = Script.objects.create(slug=slug, category="tests")
    return ScriptVersion.objects.create(
        script=script,
        version=metadata.version,
        metadata=msgspec.to_builtins(metadata),
        sha256=store_blob(content),
        size_bytes=len(content),
        created_at=NOW,
    )


# --- computers ----------------------------------------------------------------------


@dataclass
class Device:
    """The computer's side: its keys, its uid, and requests signed with them."""

    link: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    device: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    seal: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    uid: UUID = field(default_factory=uuid4)

    def claim(self, token: str, **changes: Any) -> EnrolmentClaim:
        claim = EnrolmentClaim(
            token_secret=token.partition(".")[0],
            device_key=self.device.public_key().public_bytes_raw(),
            link_key=self.link.public_key().public_bytes_raw(),
            seal_key=self.seal.public_key().public_bytes_raw(),
            facts=EnrolmentFacts(host_name="pc-1", product=Product.DESKTOP),
        )
        return msgspec.structs.replace(claim, **changes)

    def enrolment(self, token: str, **changes: Any) -> EnrolmentRequest:
        claim = codec.encode(self.claim(token, **changes))
        proof = keys.sign(self.device, PROOF_PURPOSE, claim)
        return EnrolmentRequest(claim=claim, proof=proof)

    def authorization(
        self, method: str, target: str, body: bytes = b"", **changes: Any
    ) -> str:
        """The header's value for one request; `changes` go to the token."""
        token: dict[str, Any] = {
            "computer": self.uid,
            "audience": ORIGIN,
            "method": method,
            "target": target,
            "body": body,
            "now": int(clock.now().timestamp()),
            "jti": uuid4().hex,
            **changes,
        }
        return f"Bearer {make_token(token.pop('key', self.link), **token)}"

    def ask(
        self,
        method: str,
        path: str,
        message: object = None,
        *,
        headers: dict[str, str] | None = None,
        **changes: Any,
    ) -> HttpResponse:
        """Send a signed request to ``/agent/v1/<path>``; bytes are sent as they are."""
        target = f"/agent/v1/{path}"
        body = _encoded(message)
        signed = self.authorization(method, target, body, **changes)
        return send(method, target, body, {"Authorization": signed, **(headers or {})})


def _encoded(message: object) -> bytes:
    if message is None:
        return b""
    return message if isinstance(message, bytes) else codec.encode(message)


def send(
    method: str,
    target: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> HttpResponse:
    """One request through the whole of Django; failures of ours are not caught."""
    response: Any = Client().generic(
        method, target, body, content_type="application/json", headers=headers
    )
    assert isinstance(response, HttpResponse)
    return response


def code_of(response: HttpResponse) -> str:
    """The code of a refusal, whose document must be a true one."""
    assert response.status_code >= 400, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = problem_of(response)
    assert problem.status == response.status_code
    return problem.code


def problem_of(response: HttpResponse) -> Problem:
    return codec.decode(Problem, response.content)


def new_token(tenant: Tenant, *, uses: int = 1, now: datetime | None = None) -> str:
    """The text of a token for the tenant's first site."""
    with tenant.scope():
        issued = issue_token(
            site=tenant.site,
            by=tenant.admin,
            now=now or clock.now(),
            valid_for=timedelta(days=1),
            uses=uses,
        )
    return issued.text


def make_enrolment(
    tenant: Tenant, device: Device | None = None, *, now: datetime | None = None
) -> tuple[Enrolment, Device]:
    """A computer that waits for approval, with its signed decision."""
    device = device or Device()
    now = now or clock.now()
    claim = device.claim(new_token(tenant, now=now))
    with tenant.scope():
        enrolment = request_enrolment(organisation_id=tenant.id, claim=claim, now=now)
    device.uid = enrolment.computer_id
    run_deferred()
    return enrolment, device


def make_computer(
    tenant: Tenant, name: str = "pc-1", *, now: datetime | None = None
) -> tuple[Computer, Device]:
    """An approved computer with a signed state."""
    enrolment, device = make_enrolment(tenant, now=now)
    with tenant.scope():
        computer = approve_enrolment(
            enrolment=enrolment, name=name, by=tenant.admin, now=now or clock.now()
        )
    run_deferred()
    return computer, device


def make_run(
    tenant: Tenant,
    computers: list[Computer],
    script_version: ScriptVersion,
    *,
    arguments: dict[str, Any] | None = None,
    now: datetime | None = None,
    is_signed: bool = True,
) -> Run:
    """A run on `computers`, whose jobs are queued unless it is not to be signed."""
    with tenant.scope():
        run = create_run(
            site=tenant.site,
            script_version=script_version,
            arguments=arguments or {},
            computers=computers,
            by=tenant.admin,
            request_id=uuid4(),
            now=now or clock.now(),
        )
    if is_signed:
        run_deferred()
    return run


def only_job(run: Run) -> Job:
    """The one job of a run on one computer, as it stands now; needs the scope."""
    job: Job = Job.objects.for_organisation(run.organisation_id).get(run=run)
    return job


def call_all(calls: list[Callable[[], T]]) -> list[T]:
    """Do each in a thread of its own, all let go at once; returns their answers."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], T]) -> T:
        barrier.wait(timeout=30)
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [
            each.result(timeout=60) for each in [pool.submit(one, c) for c in calls]
        ]
