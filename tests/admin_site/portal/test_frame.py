"""What every page has: language, help, headings, and no open end when all fails."""

import re

import pytest
from django.test import Client, RequestFactory
from django.views import defaults

from admin_site.accounts.models import User
from admin_site.portal.manual import PAGES
from tests.factories.computers import make_token
from tests.factories.people import ThreePeople, browser_of

INLINE = re.compile(r"<style|\sstyle=|\son\w+=|<script(?![^>]+src=)")
SITE_PAGES = ["", "computers/", "enrol/", "scripts/", "runs/", "start-pages/", "audit/"]


@pytest.mark.parametrize("path", SITE_PAGES)
def test_every_page_has_one_heading_landmarks_and_help(
    three_people: ThreePeople, path: str
) -> None:
    page = browser_of(three_people.alice).get(three_people.at_site(path)).text
    assert page.count("<h1") == 1
    assert page.count("<main") == 1
    assert page.count('aria-current="page"') == 1
    assert 'href="#main"' in page
    assert re.search(r'href="/help/[a-z-]+/"', page)


@pytest.mark.parametrize("path", SITE_PAGES)
def test_nothing_is_inline(three_people: ThreePeople, path: str) -> None:
    response = browser_of(three_people.alice).get(three_people.at_site(path))
    assert not re.search(
        r"<style|\sstyle=|\son\w+=|<script(?![^>]+src=)", response.text
    )
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_menu_shows_what_the_role_may_see(three_people: ThreePeople) -> None:
    alices = browser_of(three_people.alice).get(three_people.at_site()).text
    bobs = browser_of(three_people.bob).get(three_people.at_site()).text
    assert three_people.at_site("enrol/") in alices
    assert three_people.at_site("enrol/") not in bobs


@pytest.mark.parametrize(
    ("language", "word"), [("da", "Computere"), ("sv", "Datorer"), ("en", "Computers")]
)
def test_the_chosen_language_stays(
    three_people: ThreePeople, language: str, word: str
) -> None:
    browser = browser_of(three_people.alice, language="en")
    there = three_people.at_site()
    page = browser.post(
        "/language/", {"language": language, "next": there}, follow=True
    )
    assert page.redirect_chain == [(there, 302)]
    assert f'<html lang="{language}">' in page.text
    assert word in page.text
    assert User.objects.get(pk=three_people.alice.pk).language == language


def test_the_language_can_be_chosen_before_signing_in(db: None) -> None:
    browser = Client()
    page = browser.get("/accounts/login/")
    for name in ("Dansk", "English", "Svenska"):
        assert name in page.text
    browser.post("/language/", {"language": "sv"})
    assert "Logga in" in browser.get("/accounts/login/").text


@pytest.mark.parametrize(
    "there", ["https://evil.example/", "//evil.example", "javascript:x", ""]
)
def test_the_language_menu_leads_nowhere_else(db: None, there: str) -> None:
    response = Client().post("/language/", {"language": "da", "next": there})
    assert response.headers["Location"] == "/"


def test_an_unknown_language_changes_nothing(db: None) -> None:
    response = Client().post("/language/", {"language": "xx"})
    assert response.status_code == 302
    assert "django_language" not in response.cookies


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", ["en", "da", "sv"])
def test_the_manual_is_there_in_each_language(
    db: None, page: str, language: str
) -> None:
    shown = Client(headers={"accept-language": language}).get(f"/help/{page}/")
    assert shown.status_code == 200
    assert shown.text.count("<h1") == 1
    assert f'<html lang="{language}">' in shown.text


@pytest.mark.parametrize("page", ["nothing", "etc-passwd"])
def test_the_manual_has_no_other_pages(db: None, page: str) -> None:
    assert Client().get(f"/help/{page}/").status_code == 404


def test_moments_are_shown_in_the_zone_of_the_site(three_people: ThreePeople) -> None:
    make_token(three_people.site, by=three_people.alice)
    page = browser_of(three_people.alice).get(three_people.at_site("enrol/")).text
    shown = re.findall(r'<time datetime="([^"]+)">', page)
    assert shown
    assert all(each.endswith(("+01:00", "+02:00")) for each in shown)


def test_pages_for_errors_need_neither_scope_nor_database() -> None:
    """No `db` fixture: a query would fail the test."""
    request = RequestFactory().get("/nothing")
    request.resolver_match = None
    answers = [
        defaults.bad_request(request, ValueError()),
        defaults.page_not_found(request, ValueError()),
        defaults.server_error(request),
        defaults.permission_denied(request, ValueError()),
    ]
    assert [each.status_code for each in answers] == [400, 404, 500, 403]
    for answer in answers:
        assert answer.content.decode().count("<h1") == 1


def test_a_form_without_its_token_is_explained(three_people: ThreePeople) -> None:
    browser = Client(enforce_csrf_checks=True)
    response = browser.post("/language/", {"language": "da"})
    assert response.status_code == 403
    assert "This form was open for too long" in response.text
