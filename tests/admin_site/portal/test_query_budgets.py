"""How many queries a list costs: the same for one row and for fifty."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories.computers import make_computer, make_enrolment, make_token
from tests.factories.people import ThreePeople, browser_of
from tests.factories.runs import make_run

# Of which sign-in, scopes and permissions take 13.
BUDGETS = {
    "": 18,
    "computers/": 15,
    "enrol/": 15,
    "runs/": 15,
    "scripts/": 14,
    "scripts/restart/run/": 16,
    "audit/": 17,
}


def fill(three_people: ThreePeople, count: int) -> None:
    site = three_people.site
    token = make_token(site, by=three_people.alice)
    for _each in range(count):
        computer = make_computer(site)
        make_run(site, [computer], by=three_people.alice)
        make_enrolment(site, token=token)
        make_token(site, by=three_people.alice)


def queries_of(three_people: ThreePeople, path: str) -> int:
    browser = browser_of(three_people.alice)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert browser.get(three_people.at_site(path)).status_code == 200
    return len(captured)


@pytest.mark.parametrize("path", BUDGETS)
def test_lists_cost_the_same_for_many_rows(
    three_people: ThreePeople, path: str
) -> None:
    fill(three_people, 1)
    for_one = queries_of(three_people, path)
    fill(three_people, 49)
    for_fifty = queries_of(three_people, path)
    assert for_fifty == for_one
    assert for_fifty <= BUDGETS[path]


def test_a_run_on_many_computers_costs_the_same(three_people: ThreePeople) -> None:
    site = three_people.site
    small = make_run(site, [make_computer(site)], by=three_people.alice)
    large = make_run(
        site, [make_computer(site) for _each in range(50)], by=three_people.alice
    )
    for path in ("", "parts/jobs/"):
        counts = {
            queries_of(three_people, f"runs/{run.pk}/{path}") for run in (small, large)
        }
        assert len(counts) == 1
        assert counts.pop() <= 16
