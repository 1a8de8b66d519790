"""A change of what the fast path relies on reaches the cache with its transaction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from admin_site.agent_api.authentication import authenticate_token
from admin_site.agent_api.entries import entry_of_computer
from admin_site.agent_api.tokens import BoundRequest
from admin_site.computers import agent_cache, authority
from admin_site.computers.keys import (
    organisation_of_computer,
    seal_keys_of,
)
from admin_site.computers.models import Computer
from admin_site.core import clock
from client_agent.protocol.socket import Hint
from tests.admin_site.backend_objects import (
    ORIGIN,
    Device,
    Tenant,
    deferred,
    make_computer,
    make_tenant,
    run_deferred,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def norrby() -> Tenant:
    return make_tenant()


@pytest.fixture
def known(norrby: Tenant) -> tuple[Computer, Device]:
    """A computer that the cache knows."""
    computer, device = make_computer(norrby)
    bound = BoundRequest("GET", "/x", b"", (ORIGIN,), clock.now())
    authenticate_token(device.authorization("GET", "/x"), bound)
    assert _held(computer.pk) is not None
    return computer, device


def _held(uid: UUID) -> agent_cache.AgentEntry | None:
    raw: Any = agent_cache.client().hget(agent_cache.key_of(uid), "e")
    return agent_cache.decode_entry(raw)


def _version(tenant: Tenant, computer: Computer) -> int:
    with tenant.scope():
        return int(Computer.objects.get(pk=computer.pk).auth_version)


def test_a_bump_takes_the_entry_away_at_commit_and_not_before(
    norrby: Tenant, known: tuple[Computer, Device]
) -> None:
    computer, _device = known
    before = _version(norrby, computer)
    with norrby.scope():
        authority.bump_auth_version(
            [computer], organisation_id=norrby.id, nudge=Hint.STATE
        )
        assert _held(computer.pk) is not None
    assert _held(computer.pk) is None
    assert _version(norrby, computer) == before + 1
    assert deferred() == ["computers.forget_again"]


def test_a_bump_that_is_rolled_back_changes_nothing(
    norrby: Tenant, known: tuple[Computer, Device]
) -> None:
    computer, _device = known
    before, held = _version(norrby, computer), _held(computer.pk)
    with norrby.scope():
        authority.bump_auth_version(
            [computer], organisation_id=norrby.id, nudge=Hint.STATE
        )
        transaction.set_rollback(True)
    assert _held(computer.pk) == held
    assert _version(norrby, computer) == before
    assert deferred() == []


def test_the_task_repeats_what_the_dying_process_could_not(
    norrby: Tenant,
    known: tuple[Computer, Device],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computer, _device = known
    with monkeypatch.context() as patch, norrby.scope():
        patch.setattr(transaction, "on_commit", lambda *_args, **_kwargs: None)
        authority.bump_auth_version(
            [computer], organisation_id=norrby.id, nudge=Hint.STATE
        )
    assert _held(computer.pk) is not None
    assert run_deferred() == ["computers.forget_again"]
    assert _held(computer.pk) is None
    with norrby.scope():
        old = entry_of_computer(computer.pk)
    assert old is not None
    agent_cache.remember(computer.pk, old)
    assert _held(computer.pk) == old


def test_computers_of_others_and_none_at_all_are_left_alone(
    norrby: Tenant, known: tuple[Computer, Device]
) -> None:
    soderby = make_tenant("soderby")
    computer, _device = known
    before = _version(norrby, computer)
    with soderby.scope():
        authority.bump_auth_version(
            [computer], organisation_id=soderby.id, nudge=Hint.STATE
        )
        authority.bump_auth_version([], organisation_id=soderby.id, nudge=Hint.STATE)
    assert _version(norrby, computer) == before
    assert _held(computer.pk) is not None


def test_an_entry_holds_what_the_database_says_now(
    norrby: Tenant, known: tuple[Computer, Device]
) -> None:
    computer, device = known
    with norrby.scope():
        entry = entry_of_computer(computer.pk)
        row = Computer.objects.select_related("state").get(pk=computer.pk)
    assert entry is not None
    assert entry == _held(computer.pk)
    assert entry.link_key == device.link.public_key().public_bytes_raw()
    assert entry.etag == row.state.etag
    assert (entry.status, entry.organisation) == ("approved", norrby.id)
    assert entry.auth_version == row.auth_version


def test_who_a_computer_is_can_be_asked_before_any_scope(
    norrby: Tenant, known: tuple[Computer, Device]
) -> None:
    computer, device = known
    assert organisation_of_computer(computer.pk) == norrby.id
    assert organisation_of_computer(UUID(int=5)) is None
    assert entry_of_computer(computer.pk) is None
    with norrby.scope():
        assert seal_keys_of([computer]) == {
            computer.pk: device.seal.public_key().public_bytes_raw()
        }
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM computers_computer")
        assert cursor.fetchone() == (0,)
