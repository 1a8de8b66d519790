"""Tokens, and the person's yes or no."""

import re

from admin_site.computers.models import Computer, Enrolment, EnrolmentToken
from admin_site.computers.signing import make_signing_key
from admin_site.computers.states import ComputerStatus, EnrolmentState
from admin_site.core import clock
from admin_site.core.tenancy import scoped
from tests.factories.computers import make_enrolment, make_token
from tests.factories.people import ThreePeople, browser_of

TOKEN = {"valid_days": "1", "uses": "3"}


def test_a_token_is_shown_once(three_people: ThreePeople) -> None:
    site = three_people.site
    with scoped([site.organisation_id]):
        make_signing_key(organisation_id=site.organisation_id, now=clock.now())
    browser = browser_of(three_people.alice)
    page = browser.post(three_people.at_site("enrol/token/"), TOKEN)
    found = re.search(r"[a-z2-9]{24}\.[A-Za-z0-9_-]{43}", page.text)
    assert found
    assert f"--token {found[0]}" in page.text
    assert "no-store" in page.headers["Cache-Control"]
    assert found[0] not in browser.get(three_people.at_site("enrol/")).text
    with scoped([site.organisation_id]):
        assert EnrolmentToken.objects.for_site(site).get().uses_left == 3


def test_a_portal_that_is_not_ready_says_so(three_people: ThreePeople) -> None:
    browser = browser_of(three_people.alice)
    page = browser.post(three_people.at_site("enrol/token/"), TOKEN, follow=True)
    assert "still preparing" in page.text


def test_a_wrong_token_form_says_what_is_wrong(three_people: ThreePeople) -> None:
    browser = browser_of(three_people.alice)
    page = browser.post(
        three_people.at_site("enrol/token/"), {"valid_days": "1", "uses": "0"}
    )
    assert 'aria-invalid="true"' in page.text
    assert "errorlist" in page.text


def test_pending_computers_show_their_pairing_code(three_people: ThreePeople) -> None:
    enrolment = make_enrolment(three_people.site, host_name="<b>new</b>")
    make_enrolment(three_people.other_site, host_name="elsewhere")
    page = browser_of(three_people.alice).get(three_people.at_site("enrol/"))
    assert enrolment.pairing_code in page.text
    assert "&lt;b&gt;new" in page.text
    assert "elsewhere" not in page.text


def test_approve_gives_the_name(three_people: ThreePeople) -> None:
    enrolment = make_enrolment(three_people.site)
    address = three_people.at_site(f"enrol/{enrolment.pk}/approve/")
    browser = browser_of(three_people.alice)
    assert "name of up to 100" in browser.post(address, {"name": ""}, follow=True).text
    page = browser.post(address, {"name": "Reading room 1"}, follow=True)
    assert "Reading room 1 is approved" in page.text
    with scoped([three_people.site.organisation_id]):
        computer = Computer.objects.for_site(three_people.site).get()
    assert (computer.name, computer.status) == (
        "Reading room 1",
        ComputerStatus.APPROVED,
    )
    again = browser.post(address, {"name": "Other"}, follow=True)
    assert "no longer possible" in again.text


def test_refuse_turns_the_computer_away(three_people: ThreePeople) -> None:
    enrolment = make_enrolment(three_people.site)
    page = browser_of(three_people.alice).post(
        three_people.at_site(f"enrol/{enrolment.pk}/refuse/"), follow=True
    )
    assert "is refused" in page.text
    with scoped([three_people.site.organisation_id]):
        kept = Enrolment.objects.get(pk=enrolment.pk)
    assert kept.state == EnrolmentState.REFUSED


def test_revoked_tokens_leave_the_list(three_people: ThreePeople) -> None:
    token = make_token(three_people.site, by=three_people.alice)
    browser = browser_of(three_people.alice)
    revoke = three_people.at_site(f"enrol/token/{token.pk}/revoke/")
    assert revoke in browser.get(three_people.at_site("enrol/")).text
    page = browser.post(revoke, follow=True)
    assert "lets no more computers in" in page.text
    assert revoke not in page.text
