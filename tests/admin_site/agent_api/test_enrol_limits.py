"""How often computers may ask to be enrolled, and what a guess costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from django.http import HttpResponse

from admin_site.computers.enrolment import revoke_token
from admin_site.computers.models import Enrolment, EnrolmentToken
from admin_site.core import clock, limits
from client_agent.protocol import codec
from tests.admin_site.backend_objects import (
    Device,
    Tenant,
    code_of,
    make_tenant,
    new_token,
    nothing_changes,
    send,
)

pytestmark = pytest.mark.django_db

Move = Callable[[float], None]


@pytest.fixture
def norrby() -> Tenant:
    return make_tenant()


@pytest.fixture
def move(norrby: Tenant, monkeypatch: pytest.MonkeyPatch) -> Move:
    """Moves the clock, which otherwise stands still."""
    moment = datetime.now(UTC)

    def by(seconds: float) -> None:
        nonlocal moment
        moment += timedelta(seconds=seconds)

    monkeypatch.setattr(clock, "now", lambda: moment)
    return by


def _post(message: object, address: str = "") -> HttpResponse:
    body = message if isinstance(message, bytes) else codec.encode(message)
    headers = {"X-Forwarded-For": address} if address else None
    return send("POST", "/agent/v1/enrolments", body, headers)


def _wrong(token: str) -> object:
    return Device().enrolment("a" * 24 + token[24:])


def _refused_for(response: HttpResponse) -> int:
    """Seconds that a 429 asks to wait."""
    assert (response.status_code, code_of(response)) == (429, "rate-limited")
    return int(response.headers["Retry-After"])


def test_ten_new_computers_a_minute_and_the_others_later(
    norrby: Tenant, move: Move
) -> None:
    token = new_token(norrby, uses=20)
    room = [Device().enrolment(token) for _each in range(20)]
    for each in room[:10]:
        assert _post(each).status_code == 200
    with nothing_changes():
        assert {_refused_for(_post(each)) for each in room[10:]} == {60}
    move(60)
    for each in room[10:]:
        assert _post(each).status_code == 200
    with norrby.scope():
        assert Enrolment.objects.count() == 20


def test_who_waits_for_approval_is_not_locked_out(norrby: Tenant, move: Move) -> None:
    """Every 5 seconds for an hour, in a room of 20, with a stranger who guesses."""
    token = new_token(norrby, uses=2)
    waiting = [Device().enrolment(token) for _each in range(2)]
    for each in waiting:
        assert _post(each).status_code == 200
    for _each in range(8):
        _post(_wrong(token))
    for _minute in range(3):
        for _each in range(12):
            for each in waiting:
                assert _post(each).status_code == 200
            move(5)


def test_waiting_has_a_limit_of_its_own(norrby: Tenant, move: Move) -> None:
    request = Device().enrolment(new_token(norrby))
    answers = [_post(request).status_code for _each in range(92)]
    assert answers == [200] * 91 + [429]


def test_five_wrong_tokens_close_the_address_for_an_hour(
    norrby: Tenant, move: Move
) -> None:
    token = new_token(norrby)
    right = Device().enrolment(token)
    for _each in range(5):
        response = _post(_wrong(token))
        assert (response.status_code, code_of(response)) == (
            403,
            "enrolment-token-unknown",
        )
        move(61)
    with nothing_changes():
        assert _refused_for(_post(_wrong(token))) == 3600 - 5 * 61
        assert _refused_for(_post(right)) == 3600 - 5 * 61
    with norrby.scope():
        assert EnrolmentToken.objects.get().uses_left == 1
    move(3600 - 5 * 61)
    assert _post(right).status_code == 200


def test_a_revoked_token_counts_as_wrong_but_not_one_that_is_used_up(
    norrby: Tenant, move: Move
) -> None:
    used_up = new_token(norrby)
    assert _post(Device().enrolment(used_up)).status_code == 200
    for _each in range(6):
        move(61)
        response = _post(Device().enrolment(used_up))
        assert code_of(response) == "enrolment-token-used-up"
    revoked = new_token(norrby)
    with norrby.scope():
        token = EnrolmentToken.objects.get(uses_left=1)
        revoke_token(token=token, by=norrby.admin, now=clock.now())
    for _each in range(5):
        assert _post(Device().enrolment(revoked)).status_code == 403
        move(61)
    _refused_for(_post(Device().enrolment(revoked)))


def test_what_is_no_request_counts_too(norrby: Tenant, move: Move) -> None:
    for _each in range(10):
        assert _post(b"{}").status_code == 400
    assert _refused_for(_post(b"{}")) == 60
    assert _refused_for(_post(Device().enrolment(new_token(norrby)))) == 60


def test_a_made_up_address_does_not_help(norrby: Tenant, move: Move) -> None:
    for number in range(10):
        assert _post(b"{}", address=f"198.51.100.{number}").status_code == 400
    _refused_for(_post(b"{}", address="198.51.100.99"))


def test_without_valkey_nobody_is_enrolled_uncounted(
    norrby: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = redis.Redis(unix_socket_path=str(tmp_path / "gone.sock"))
    monkeypatch.setattr(limits, "client", lambda: gone)
    token = new_token(norrby)
    for request in (Device().enrolment(token), _wrong(token), b"{}"):
        with nothing_changes():
            response = _post(request)
        assert (response.status_code, code_of(response)) == (
            503,
            "temporarily-unavailable",
        )
        assert response.headers["Retry-After"] == "30"
