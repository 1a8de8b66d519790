"""The list of computers, one computer, and taking one out."""

from datetime import UTC, datetime, timedelta

import pytest

from admin_site.audit.models import AuditEvent
from admin_site.computers.models import Computer, Facts, SettingCompliance
from admin_site.computers.states import ComputerStatus
from admin_site.core.tenancy import scoped
from tests.factories.computers import make_computer
from tests.factories.people import ThreePeople, browser_of
from tests.factories.runs import make_run

NASTY = "<script>alert('x')</script>"


def names(three_people: ThreePeople, query: str) -> list[str]:
    page = browser_of(three_people.alice).get(
        three_people.at_site(f"computers/{query}")
    )
    assert page.status_code == 200
    return [computer.name for computer, _sighting in page.context["rows"]]


def test_search_filter_and_sort(three_people: ThreePeople) -> None:
    site, now = three_people.site, datetime.now(UTC)
    make_computer(site, name="Atlas", serial="S-1", seen_at=now - timedelta(days=1))
    make_computer(site, name="Boreas", model="EliteDesk", seen_at=now)
    make_computer(site, name="Ceres")
    make_computer(site, name="Dione", status=ComputerStatus.REVOKED)
    make_computer(three_people.other_site, name="Elsewhere")
    assert names(three_people, "") == ["Atlas", "Boreas", "Ceres"]
    assert names(three_people, "?q=s-1") == ["Atlas"]
    assert names(three_people, "?q=elitedesk") == ["Boreas"]
    assert names(three_people, "?q=%25") == []
    assert names(three_people, "?status=revoked") == ["Dione"]
    assert names(three_people, "?status=all&sort=-name") == [
        "Dione",
        "Ceres",
        "Boreas",
        "Atlas",
    ]
    assert names(three_people, "?sort=seen") == ["Ceres", "Atlas", "Boreas"]
    assert names(three_people, "?sort=-seen") == ["Boreas", "Atlas", "Ceres"]


@pytest.mark.parametrize(
    "query", ["?sort=nothing", "?page=x", "?page=-1", "?status=nothing", "?page=999"]
)
def test_nonsense_counts_as_nothing_said(three_people: ThreePeople, query: str) -> None:
    make_computer(three_people.site, name="Atlas")
    assert names(three_people, query) == ["Atlas"]


def test_pages_of_25(three_people: ThreePeople) -> None:
    for number in range(30):
        make_computer(three_people.site, name=f"PC {number:02}")
    assert len(names(three_people, "")) == 25
    assert names(three_people, "?page=2") == [f"PC {each}" for each in range(25, 30)]
    page = browser_of(three_people.alice).get(three_people.at_site("computers/?q=PC"))
    assert 'href="?q=PC&amp;page=2"' in page.text
    assert 'aria-sort="ascending"' in page.text


def test_an_empty_result_says_what_to_do(three_people: ThreePeople) -> None:
    browser = browser_of(three_people.alice)
    page = browser.get(three_people.at_site("computers/?q=nothing"))
    assert "No computer fits what you are looking for." in page.text
    page = browser.get(three_people.at_site("computers/"))
    assert three_people.at_site("enrol/") in page.text


def test_names_are_text(three_people: ThreePeople) -> None:
    computer = make_computer(three_people.site, name=NASTY, model=NASTY)
    make_run(three_people.site, [computer])
    browser = browser_of(three_people.alice)
    for path in ("", "computers/", f"computers/{computer.pk}/", "scripts/restart/run/"):
        page = browser.get(three_people.at_site(path))
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert" in page.text


def test_detail_shows_what_is_known(three_people: ThreePeople) -> None:
    site = three_people.site
    computer = make_computer(site, name="Atlas", os_release="Debian 13")
    now = datetime.now(UTC)
    with scoped([site.organisation_id]):
        Facts.objects.create(
            organisation_id=site.organisation_id,
            computer=computer,
            data={"memory": 8, "disks": [{"name": "<b>sda</b>"}]},
            updated_at=now,
        )
        SettingCompliance.objects.create(
            organisation_id=site.organisation_id,
            computer=computer,
            setting="browser-start-pages",
            status="failed",
            revision=1,
            code="disk-full",
            at=now,
        )
    page = browser_of(three_people.alice).get(
        three_people.at_site(f"computers/{computer.pk}/")
    )
    for text in ("Debian 13", "Browser start pages", "Failed: disk-full", "memory"):
        assert text in page.text
    assert "&lt;b&gt;sda" in page.text


def test_revoking_says_what_it_means_and_is_recorded(three_people: ThreePeople) -> None:
    computer = make_computer(three_people.site)
    address = three_people.at_site(f"computers/{computer.pk}/revoke/")
    browser = browser_of(three_people.alice)
    assert "must be enrolled again" in browser.get(address).text
    page = browser.post(address, follow=True)
    assert "is revoked" in page.text
    with scoped([three_people.site.organisation_id]):
        computer = Computer.objects.for_site(three_people.site).get(pk=computer.pk)
        assert computer.status == ComputerStatus.REVOKED
        events = AuditEvent.objects.filter(target_id=str(computer.pk))
        assert [each.action for each in events] == ["computer.revoked"]
    assert "no longer possible" in browser.post(address, follow=True).text
