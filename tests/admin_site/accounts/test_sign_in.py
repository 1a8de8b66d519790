"""Ways in: one-time link, password, second step; and the way out."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.test import Client

from admin_site.accounts.services import make_one_time_link
from admin_site.core import clock
from tests.factories.people import ThreePeople, browser_of
from tests.factories.tenants import make_user

PASSWORD = "correct horse battery staple"


def code_of(secret: str) -> str:
    """What an authenticator app would show now."""
    counter = next(iter(yield_hotp_counters_from_time()))
    return str(format_hotp_value(hotp_value(secret, counter)))


def sign_in(browser: Client, email: str, password: str = PASSWORD) -> Any:
    return browser.post(
        "/accounts/login/", {"login": email, "password": password}, follow=True
    )


@pytest.fixture
def link_of_alice(three_people: ThreePeople) -> str:
    secret = make_one_time_link(user=three_people.alice, now=clock.now())
    return f"/accounts/once/{secret}/"


def test_a_one_time_link_needs_a_press_of_its_button(
    three_people: ThreePeople, link_of_alice: str
) -> None:
    browser = Client()
    assert browser.get(link_of_alice).status_code == 200
    assert browser.get(link_of_alice).status_code == 200, "looking does not use it up"
    page = browser.post(link_of_alice, follow=True)
    assert "Alice" in page.text
    assert "You have no password yet." in page.text
    again = Client().post(link_of_alice)
    assert again.status_code == 410
    assert "has been used or is too old" in again.text


def test_a_one_time_link_grows_old(three_people: ThreePeople) -> None:
    past = clock.now() - timedelta(hours=25)
    secret = make_one_time_link(user=three_people.alice, now=past)
    assert Client().post(f"/accounts/once/{secret}/").status_code == 410


def test_signing_in_brings_the_persons_language(
    three_people: ThreePeople, link_of_alice: str
) -> None:
    three_people.alice.language = "sv"
    three_people.alice.save()
    browser = Client(headers={"accept-language": "da"})
    page = browser.post(link_of_alice, follow=True)
    assert '<html lang="sv">' in page.text


def test_a_password_can_be_set_and_used(
    three_people: ThreePeople, link_of_alice: str
) -> None:
    browser = Client()
    browser.post(link_of_alice)
    form = {"password1": PASSWORD, "password2": PASSWORD}
    browser.post("/accounts/password/set/", form, follow=True)
    page = browser.get("/accounts/password/change/")
    assert page.status_code == 200
    page = browser.post("/accounts/logout/", follow=True)
    assert page.redirect_chain[-1][0] == "/accounts/login/"
    assert browser.get("/sites/").status_code == 302
    assert "Alice" in sign_in(Client(), three_people.alice.email).text


def test_a_wrong_password_says_the_same_for_everyone(db: None) -> None:
    make_user(email="known@example.org", password=PASSWORD)
    texts = []
    for email in ("known@example.org", "unknown@example.org"):
        page = Client().post("/accounts/login/", {"login": email, "password": "x"})
        assert page.status_code == 200
        texts.append(page.context["form"].non_field_errors())
    assert texts[0] == texts[1]
    assert texts[0]


def test_guessing_is_slowed_down(db: None) -> None:
    make_user(email="known@example.org", password=PASSWORD)
    for _each in range(6):
        Client().post(
            "/accounts/login/", {"login": "known@example.org", "password": "x"}
        )
    page = sign_in(Client(), "known@example.org")
    assert "CitizenPC" in page.text
    assert not page.context["user"].is_authenticated


def test_the_second_step(three_people: ThreePeople) -> None:
    alice = three_people.alice
    alice.set_password(PASSWORD)
    alice.save()
    browser = Client()
    sign_in(browser, alice.email)
    page = browser.get("/accounts/2fa/totp/activate/", follow=True)
    if page.redirect_chain:
        page = browser.post(
            page.redirect_chain[-1][0], {"password": PASSWORD}, follow=True
        )
    secret = page.context["form"].secret
    page = browser.post(
        "/accounts/2fa/totp/activate/", {"code": code_of(secret)}, follow=True
    )
    assert "10 of 10 codes are left" in page.text
    recovery = page.context["unused_codes"][0]
    other = Client()
    page = sign_in(other, alice.email)
    assert page.redirect_chain[-1][0].startswith("/accounts/2fa/authenticate/")
    assert other.get("/sites/").status_code == 302
    page = other.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert page.status_code == 200
    assert page.context["form"].errors
    page = other.post("/accounts/2fa/authenticate/", {"code": recovery}, follow=True)
    assert "Alice" in page.text


@pytest.mark.parametrize(
    "path",
    ["signup/", "email/", "password/reset/", "confirm-email/", "2fa/webauthn/"],
)
def test_nothing_else_of_allauth_is_mounted(db: None, path: str) -> None:
    assert Client().get(f"/accounts/{path}").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["login/", "logout/", "password/set/", "2fa/", "2fa/totp/activate/", "inactive/"],
)
def test_pages_have_our_frame(three_people: ThreePeople, path: str) -> None:
    person = None if path in ("login/", "inactive/") else three_people.alice
    page = browser_of(person).get(f"/accounts/{path}")
    assert page.status_code == 200
    assert page.text.count("<h1") == 1
    assert "site.css" in page.text
    assert "/help/sign-in/" in page.text
