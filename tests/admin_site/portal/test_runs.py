"""From the button "Run" to the output."""

from typing import Any
from uuid import uuid4

import pytest

from admin_site.computers.states import ComputerStatus
from admin_site.core.tenancy import scoped
from admin_site.jobs.models import Job, Run
from admin_site.jobs.states import JobStatus
from tests.factories.computers import make_computer
from tests.factories.people import ThreePeople, browser_of
from tests.factories.runs import add_output, make_job, make_library, make_run

MESSAGE = {
    "arg-text-en": "Closing\r\nsoon",
    "arg-text-da": "",
    "arg-text-sv": "Vi stänger",
    "arg-show-seconds": "60",
}


def order(three_people: ThreePeople, slug: str, form: dict[str, Any]) -> Any:
    make_library()
    return browser_of(three_people.alice).post(
        three_people.at_site(f"scripts/{slug}/run/"),
        {"target": "site", "request_id": str(uuid4()), **form},
    )


def runs_of(three_people: ThreePeople) -> list[Run]:
    with scoped([three_people.site.organisation_id]):
        return list(Run.objects.for_site(three_people.site))


def computers_of(run: Run) -> set[str]:
    with scoped([run.organisation_id]):
        jobs = Job.objects.for_organisation(run.organisation_id).filter(run=run)
        return {job.computer.name for job in jobs.select_related("computer")}


def test_runs_on_the_whole_site_with_typed_arguments(three_people: ThreePeople) -> None:
    make_computer(three_people.site, name="Atlas")
    make_computer(three_people.site, name="Boreas", status=ComputerStatus.APPROVED)
    make_computer(three_people.site, name="Gone", status=ComputerStatus.REVOKED)
    make_computer(three_people.other_site, name="Elsewhere")
    response = order(three_people, "send-message", MESSAGE)
    (run,) = runs_of(three_people)
    assert response.headers["Location"] == three_people.at_site(f"runs/{run.pk}/")
    assert run.arguments["text"] == {"en": "Closing\nsoon", "sv": "Vi stänger"}
    assert run.arguments["show-seconds"] == 60
    assert computers_of(run) == {"Atlas", "Boreas"}


def test_runs_on_the_chosen_computers(three_people: ThreePeople) -> None:
    chosen = make_computer(three_people.site, name="Atlas")
    make_computer(three_people.site, name="Boreas")
    order(
        three_people,
        "restart",
        {"target": "computers", "computers": [str(chosen.pk)], "arg-force": "on"},
    )
    (run,) = runs_of(three_people)
    assert computers_of(run) == {"Atlas"}
    assert run.arguments == {"delay-seconds": 0, "reason": "", "force": True}


def test_the_second_click_orders_nothing(three_people: ThreePeople) -> None:
    make_computer(three_people.site)
    form = {"request_id": str(uuid4())}
    first = order(three_people, "disk-report", form)
    second = order(three_people, "disk-report", form)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(runs_of(three_people)) == 1


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"arg-show-seconds": "4", "arg-text-en": "x"}, "greater than or equal"),
        ({"arg-show-seconds": "x", "arg-text-en": "x"}, "Enter a whole number"),
        ({}, "Fill in this field."),
        ({"arg-text-en": "bell \x07"}, "Leave out control characters"),
        ({"target": "computers", **MESSAGE}, "Choose at least one computer."),
        (
            {"target": "computers", "computers": [str(uuid4())], **MESSAGE},
            "no longer there",
        ),
    ],
)
def test_wrong_forms_come_back_with_what_was_typed(
    three_people: ThreePeople, form: dict[str, Any], sentence: str
) -> None:
    make_computer(three_people.site)
    page = order(three_people, "send-message", form)
    assert page.status_code == 200
    assert sentence in page.text
    assert runs_of(three_people) == []


def test_a_computer_of_another_site_cannot_be_chosen(three_people: ThreePeople) -> None:
    make_computer(three_people.site)
    other = make_computer(three_people.other_site)
    page = order(
        three_people,
        "disk-report",
        {"target": "computers", "computers": [str(other.pk)]},
    )
    assert "no longer there" in page.text
    assert runs_of(three_people) == []


def test_the_form_can_begin_with_a_computer(three_people: ThreePeople) -> None:
    computer = make_computer(three_people.site)
    make_library()
    page = browser_of(three_people.alice).get(
        three_people.at_site(f"scripts/restart/run/?computer={computer.pk}")
    )
    assert f'value="{computer.pk}"' in page.text
    assert page.text.count("checked") == 2  # the target and the computer


def test_scripts_can_be_searched(three_people: ThreePeople) -> None:
    make_library()
    browser = browser_of(three_people.alice)
    found = browser.get(three_people.at_site("scripts/?q=MESSAGE")).text
    assert "Send a message to the screen" in found
    assert "Disk report" not in found
    nothing = browser.get(three_people.at_site("scripts/?q=zebra")).text
    assert "No script fits" in nothing


def test_the_list_of_runs(three_people: ThreePeople) -> None:
    computers = [make_computer(three_people.site) for _each in range(2)]
    make_run(three_people.site, computers, status=JobStatus.SUCCEEDED)
    make_run(three_people.site, computers, by=three_people.bob, slug="disk-report")
    page = browser_of(three_people.bob).get(three_people.at_site("runs/"))
    assert "2 of 2 succeeded" in page.text
    assert "0 of 2 succeeded" in page.text
    titles = [metadata.title.en for _run, metadata in page.context["rows"]]
    assert titles == ["Disk report", "Hardware inventory"]


def test_output_comes_in_pieces(three_people: ThreePeople) -> None:
    job = make_job(three_people.site, computer=make_computer(three_people.site))
    add_output(job, b"first\n" + "€".encode()[:2])
    browser = browser_of(three_people.bob)
    address = three_people.at_site(f"runs/{job.run_id}/jobs/{job.pk}/output/")
    piece = browser.get(f"{address}?offset=0")
    assert piece.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (piece.text, piece.headers["X-Next-Offset"]) == ("first\n", "6")
    assert piece.headers["X-Ended"] == "0"
    add_output(job, "€".encode()[2:] + b"<script>\x1b[1m")
    piece = browser.get(f"{address}?offset=6")
    assert piece.text == "€<script>\\x1b[1m"
    assert piece.headers["X-Next-Offset"] == "21"
    assert browser.get(f"{address}?offset=21").text == ""
    assert browser.get(address).text == "first\n€<script>\\x1b[1m"


def test_output_ends_with_the_job(three_people: ThreePeople) -> None:
    job = make_job(
        three_people.site,
        computer=make_computer(three_people.site),
        status=JobStatus.SUCCEEDED,
    )
    add_output(job, b"cut \xe2\x82")
    address = three_people.at_site(f"runs/{job.run_id}/jobs/{job.pk}/output/")
    piece = browser_of(three_people.bob).get(f"{address}?offset=0")
    assert (piece.text, piece.headers["X-Ended"]) == ("cut \\xe2\\x82", "1")


def test_long_output_comes_in_bounded_pieces(three_people: ThreePeople) -> None:
    job = make_job(three_people.site, computer=make_computer(three_people.site))
    add_output(job, b"0123456789abcde\n" * 40_000)
    browser = browser_of(three_people.bob)
    address = three_people.at_site(f"runs/{job.run_id}/jobs/{job.pk}/output/")
    offset, more, length = "0", "1", 0
    while more == "1":
        piece = browser.get(f"{address}?offset={offset}")
        assert 0 < len(piece.content) <= 256 * 1024
        length += len(piece.content)
        offset, more = piece.headers["X-Next-Offset"], piece.headers["X-More"]
    assert length == int(offset) == 640_000


@pytest.mark.parametrize("offset", ["x", "-1", "9" * 30, "1.5", "٣"])
def test_a_nonsense_offset_is_no_error(three_people: ThreePeople, offset: str) -> None:
    job = make_job(three_people.site, computer=make_computer(three_people.site))
    address = three_people.at_site(f"runs/{job.run_id}/jobs/{job.pk}/output/")
    page = browser_of(three_people.bob).get(address, {"offset": offset})
    assert page.status_code == 200


def test_cancel_says_what_it_means_and_does_it(three_people: ThreePeople) -> None:
    job = make_job(
        three_people.site,
        computer=make_computer(three_people.site),
        status=JobStatus.QUEUED,
    )
    address = three_people.at_site(f"runs/{job.run_id}/cancel/")
    browser = browser_of(three_people.alice)
    assert "stays done" in browser.get(address).text
    page = browser.post(address, follow=True)
    assert "1 job is being cancelled." in page.text
    assert "Cancelled" in page.text
    again = browser.post(address, follow=True)
    assert "nothing left to cancel" in again.text


def test_the_part_with_the_jobs_is_no_whole_page(three_people: ThreePeople) -> None:
    job = make_job(three_people.site, computer=make_computer(three_people.site))
    part = browser_of(three_people.bob).get(
        three_people.at_site(f"runs/{job.run_id}/parts/jobs/")
    )
    assert "<html" not in part.text
    assert "Running" in part.text
    assert "Cancel…" not in part.text
