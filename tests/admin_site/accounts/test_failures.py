"""Guessing passwords, codes and links: how soon it ends, and what is said then."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from pytest_django import Settings

from admin_site.accounts.models import User
from admin_site.accounts.services import make_one_time_link
from admin_site.core import clock, limits
from tests.factories.tenants import make_user

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"
WRONG = "wrong"
ALICE = "alice@example.org"
QUARTER = 15 * 60

Move = Callable[[float], None]


@pytest.fixture(autouse=True)
def _fast_hashes(settings: Settings) -> None:
    """Guessing is slow enough without the portal's own."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice() -> User:
    return make_user(email=ALICE, password=PASSWORD)


@pytest.fixture(autouse=True)
def move(monkeypatch: pytest.MonkeyPatch) -> Move:
    """Moves the clock, which otherwise stands still."""
    moment = datetime.now(UTC)

    def by(seconds: float) -> None:
        nonlocal moment
        moment += timedelta(seconds=seconds)

    monkeypatch.setattr(clock, "now", lambda: moment)
    return by


def sign_in(email: str = ALICE, password: str = WRONG, **headers: str) -> Any:
    return Client(headers=headers).post(
        "/accounts/login/", {"login": email, "password": password}
    )


def wait_of(page: Any) -> int:
    """Seconds that a 429 asks to wait."""
    assert page.status_code == 429, page.text
    assert "<h1" in page.text
    return int(page.headers["Retry-After"])


def test_five_failures_close_an_account_for_a_quarter_of_an_hour(
    alice: User, move: Move
) -> None:
    for _each in range(5):
        assert sign_in().status_code == 200
        move(60)
    assert wait_of(sign_in(password=PASSWORD)) == QUARTER - 5 * 60
    move(QUARTER - 5 * 60)
    assert sign_in(password=PASSWORD).status_code == 302


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Wait 15 minutes, then try again."),
        ("da", "Vent 15 minutter, og prøv så igen."),
        ("sv", "Vänta 15 minuter och försök sedan igen."),
    ],
)
def test_the_page_says_how_long_to_wait(
    alice: User, language: str, sentence: str
) -> None:
    headers = {"accept-language": language}
    for _each in range(5):
        sign_in(**headers)
    page = sign_in(**headers)
    assert wait_of(page) == QUARTER
    assert sentence in page.text


def test_who_does_not_exist_is_counted_the_same(alice: User) -> None:
    told = []
    for email in (ALICE, "nobody@example.org"):
        for _each in range(5):
            assert sign_in(email).status_code == 200
        page = sign_in(email)
        main = re.search("<main.*</main>", page.text, re.DOTALL)
        assert main
        told.append((wait_of(page), main.group()))
    assert told[0] == told[1]


def test_an_account_is_the_same_however_it_is_typed(alice: User) -> None:
    for email in (ALICE, ALICE.upper(), f" {ALICE}", "Alice@Example.org", ALICE):
        assert sign_in(email).status_code == 200
    wait_of(sign_in("ALICE@example.org", PASSWORD))


def test_a_success_resets_the_account(alice: User) -> None:
    for _each in range(3):
        for _failure in range(4):
            assert sign_in().status_code == 200
        assert sign_in(password=PASSWORD).status_code == 302


def test_twenty_failures_close_an_address_for_every_account(alice: User) -> None:
    for number in range(20):
        page = sign_in(
            f"user{number}@example.org", **{"x-forwarded-for": f"::{number}"}
        )
        assert page.status_code == 200
    assert wait_of(sign_in(password=PASSWORD)) == QUARTER


def test_successes_do_not_count_for_the_address(alice: User) -> None:
    for _each in range(25):
        assert sign_in(password=PASSWORD).status_code == 302


# --- the second step ------------------------------------------------------------


@pytest.fixture
def recovery_code(alice: User) -> str:
    """One of alice's, who has a second factor."""
    TOTP.activate(alice, generate_totp_secret())
    return str(RecoveryCodes.activate(alice).get_unused_codes()[0])


def half_signed_in() -> Client:
    browser = Client()
    page = browser.post("/accounts/login/", {"login": ALICE, "password": PASSWORD})
    assert page.headers["Location"].startswith("/accounts/2fa/authenticate/")
    return browser


def try_code(browser: Client, code: str = "000000") -> Any:
    return browser.post("/accounts/2fa/authenticate/", {"code": code})


def test_codes_are_counted_and_a_right_password_gives_no_new_tries(
    recovery_code: str, move: Move
) -> None:
    for _each in range(5):
        assert try_code(half_signed_in()).status_code == 200
    assert wait_of(try_code(half_signed_in(), recovery_code)) == QUARTER
    move(QUARTER)
    assert try_code(half_signed_in(), recovery_code).status_code == 302


def test_a_right_code_resets_the_count(alice: User, recovery_code: str) -> None:
    browser = half_signed_in()
    for _each in range(4):
        try_code(browser)
    assert try_code(browser, recovery_code).status_code == 302
    browser = half_signed_in()
    for _each in range(4):
        assert try_code(browser).status_code == 200


def test_codes_count_for_the_address(recovery_code: str) -> None:
    browser = half_signed_in()
    for number in range(19):
        sign_in(f"user{number}@example.org")
    assert try_code(browser).status_code == 200
    assert wait_of(try_code(browser, recovery_code)) == QUARTER


# --- other ways in --------------------------------------------------------------


def test_one_time_links_cannot_be_guessed_at_speed(alice: User) -> None:
    right = make_one_time_link(user=alice, now=clock.now())
    for number in range(20):
        assert Client().post(f"/accounts/once/guess{number}/").status_code == 410
    assert wait_of(Client().post(f"/accounts/once/{right}/")) == QUARTER


def test_a_link_still_opens_an_account_that_others_have_closed(alice: User) -> None:
    right = make_one_time_link(user=alice, now=clock.now())
    for _each in range(6):
        sign_in()
    assert Client().post(f"/accounts/once/{right}/").status_code == 302


def test_the_password_that_protects_a_change_is_counted_too(alice: User) -> None:
    browser = Client()
    browser.post("/accounts/login/", {"login": ALICE, "password": PASSWORD})
    for _each in range(5):
        page = browser.post("/accounts/reauthenticate/", {"password": "wrong"})
        assert page.status_code == 200
    page = browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert wait_of(page) == QUARTER


def test_changing_a_password_is_limited_by_allauth(alice: User) -> None:
    browser = Client()
    browser.post("/accounts/login/", {"login": ALICE, "password": PASSWORD})
    form = {"oldpassword": "wrong", "password1": "x", "password2": "x"}
    for _each in range(5):
        page = browser.post("/accounts/password/change/", form)
        assert page.status_code == 200
    assert wait_of(browser.post("/accounts/password/change/", form)) == 60


def test_without_valkey_nobody_signs_in_uncounted(
    alice: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = make_one_time_link(user=alice, now=clock.now())
    gone = redis.Redis(unix_socket_path=str(tmp_path / "gone.sock"))
    monkeypatch.setattr(limits, "client", lambda: gone)
    for page in (
        sign_in(),
        sign_in(password=PASSWORD),
        Client().post(f"/accounts/once/{secret}/"),
    ):
        assert page.status_code == 503
        assert page.headers["Retry-After"] == "60"
    monkeypatch.undo()
    assert Client().post(f"/accounts/once/{secret}/").status_code == 302
