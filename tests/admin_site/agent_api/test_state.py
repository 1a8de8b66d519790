"""``GET /agent/v1/state`` through the view: 200, 304, and the first contact."""

from __future__ import annotations

import pytest

from admin_site.computers import agent_cache, signing
from admin_site.computers.models import Computer, SigningKey
from admin_site.desired_state.models import CompiledState
from admin_site.policies.services import set_setting
from client_agent.protocol import codec
from client_agent.protocol.signed import Kind, Signed, open_document
from client_agent.protocol.state import DesiredState
from tests.admin_site.agent_api.conftest import Api
from tests.admin_site.backend_objects import (
    NOW,
    nothing_changes,
    run_deferred,
)


def _etag(api: Api) -> str:
    return str(api.ask("state").headers["ETag"])


def test_the_signed_state_is_delivered_as_it_was_stored(api: Api) -> None:
    response = api.ask("state")
    assert response.headers["Content-Type"] == "application/json"
    with api.norrby.scope():
        stored = CompiledState.objects.get(computer=api.computer)
        key = bytes(SigningKey.objects.get().public_key)
    assert response.content == bytes(stored.signed)
    assert response.headers["ETag"] == f'"{stored.etag}"'
    signed = codec.decode(Signed, response.content)
    assert signed == signing.stored_document(stored.signed)
    state = open_document(signed, Kind.STATE, DesiredState, public_key=key)
    assert (state.computer, state.revision) == (api.computer.pk, stored.revision)


def test_who_has_it_is_told_so_without_a_body(api: Api) -> None:
    etag = _etag(api)
    with nothing_changes():
        response = api.ask("state", headers={"If-None-Match": etag})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["ETag"] == etag


@pytest.mark.parametrize("asked", ["", "*", '"other"', "{etag}x", "W/{etag}", "{bare}"])
def test_another_etag_gets_the_whole(api: Api, asked: str) -> None:
    etag = _etag(api)
    sent = asked.format(etag=etag, bare=etag.strip('"'))
    response = api.ask("state", headers={"If-None-Match": sent})
    assert response.status_code == 200


def test_the_first_fetch_makes_an_approved_computer_active(api: Api) -> None:
    with api.norrby.scope():
        before = Computer.objects.get().auth_version
    etag = _etag(api)
    with api.norrby.scope():
        after = Computer.objects.get()
    assert (after.status, after.auth_version) == ("active", before + 1)
    run_deferred()
    with nothing_changes():
        assert _etag(api) == etag


def test_other_contacts_do_not_make_it_active(api: Api) -> None:
    for endpoint in ("lease", "orders", "reports", "facts"):
        api.ask(endpoint)
    with api.norrby.scope():
        assert Computer.objects.get().status == "approved"


@pytest.mark.parametrize("status", ["suspended", "out_of_service"])
def test_a_computer_that_is_set_aside_keeps_its_state(api: Api, status: str) -> None:
    with api.norrby.scope():
        Computer.objects.update(status=status)
    assert api.ask("state").status_code == 200
    with api.norrby.scope():
        assert Computer.objects.get().status == status


def test_a_change_is_another_etag_and_revision(api: Api) -> None:
    etag = _etag(api)
    with api.norrby.scope():
        set_setting(
            site=api.norrby.site,
            setting="browser-start-pages",
            value={"start_pages": ["https://library.example/"]},
            by=api.norrby.admin,
            now=NOW,
        )
    run_deferred()
    response = api.ask("state", headers={"If-None-Match": etag})
    assert response.status_code == 200
    assert response.headers["ETag"] != etag


def test_whoever_asks_is_seen(api: Api) -> None:
    assert agent_cache.seen_at([api.computer.pk]) == {}
    api.ask("state")
    assert api.computer.pk in agent_cache.seen_at([api.computer.pk])
