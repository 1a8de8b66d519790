"""The front page of a site, and the choice of sites."""

from datetime import UTC, datetime, timedelta

from admin_site.computers.agent_cache import SEEN_KEY, client
from admin_site.computers.states import ComputerStatus
from admin_site.jobs.states import JobStatus
from admin_site.tenancy.roles import Role
from tests.factories.computers import make_computer, make_enrolment
from tests.factories.people import ThreePeople, browser_of
from tests.factories.runs import make_run
from tests.factories.tenants import join, make_member, make_site, make_user


def test_says_what_to_do_on_an_empty_site(three_people: ThreePeople) -> None:
    page = browser_of(three_people.alice).get(three_people.at_site())
    assert "No computer works at this site yet." in page.text
    assert three_people.at_site("enrol/") in page.text


def test_cards_say_where_computers_are(three_people: ThreePeople) -> None:
    site, now = three_people.site, datetime.now(UTC)
    make_computer(site, name="Asleep", seen_at=now - timedelta(minutes=20))
    make_computer(site, name="Quiet")
    awake = make_computer(site, name="Awake", seen_at=now - timedelta(days=2))
    make_computer(site, name="Gone", status=ComputerStatus.REVOKED)
    client().zadd(SEEN_KEY, {str(awake.pk): now.timestamp()})
    page = browser_of(three_people.alice).get(three_people.at_site())
    words = {card.computer.name: card.sighting.words for card in page.context["cards"]}
    assert words == {
        "Asleep": "Not seen for 20 minutes: check its power",
        "Awake": "On, seen just now",
        "Quiet": "Never seen: check that it is on and connected",
    }
    counts = {name: page.context[name] for name in ("on", "away", "never_seen")}
    assert counts == {"on": 1, "away": 1, "never_seen": 1}


def test_cards_name_the_last_job_to_those_who_may_see_runs(
    three_people: ThreePeople,
) -> None:
    computer = make_computer(three_people.site)
    make_run(three_people.site, [computer], slug="disk-report")
    newest = make_run(three_people.site, [computer], status=JobStatus.FAILED)
    desk = make_member(three_people.site, Role.FRONT_DESK)
    address = three_people.at_site(f"runs/{newest.pk}/")
    alices = browser_of(three_people.alice).get(three_people.at_site())
    assert address in alices.text
    assert "Hardware inventory" in alices.text
    assert "Disk report" not in alices.text
    assert address not in browser_of(desk).get(three_people.at_site()).text


def test_tells_who_may_approve_that_a_computer_waits(three_people: ThreePeople) -> None:
    make_enrolment(three_people.site)
    page = browser_of(three_people.alice).get(three_people.at_site())
    assert "1 computer waits for your approval" in page.text
    page = browser_of(three_people.bob).get(three_people.at_site())
    assert "waits for your approval" not in page.text


def test_home_leads_to_the_only_site(three_people: ThreePeople) -> None:
    response = browser_of(three_people.alice).get("/")
    assert response.headers["Location"] == three_people.at_site()


def test_home_leads_to_a_choice_of_sites(three_people: ThreePeople) -> None:
    alice = three_people.alice
    second = make_site(three_people.site.organisation, name="Branch")
    member = make_member(second, Role.AUDITOR)
    join(alice, second, Role.AUDITOR)
    browser = browser_of(alice)
    assert browser.get("/").headers["Location"] == "/sites/"
    page = browser.get("/sites/")
    assert "Branch" in page.text
    assert "Main library" in page.text
    assert "Other library" not in page.text
    assert "Main library" not in browser_of(member).get("/sites/").text


def test_who_has_no_role_is_told_what_to_do(db: None) -> None:
    page = browser_of(make_user()).get("/sites/")
    assert "You have no role at any site." in page.text
