"""The plain form of the one setting."""

import pytest

from admin_site.core.tenancy import scoped
from admin_site.policies.selectors import settings_of_site
from tests.factories.people import ThreePeople, browser_of

PAGES = "https://example.org/\r\n\r\n http://example.net \r\n"


def wanted(three_people: ThreePeople) -> object:
    with scoped([three_people.site.organisation_id]):
        return settings_of_site(three_people.site).get("browser-start-pages")


def test_save_show_and_remove(three_people: ThreePeople) -> None:
    browser = browser_of(three_people.alice)
    address = three_people.at_site("start-pages/")
    assert "Nothing is set" in browser.get(address).text
    page = browser.post(
        address,
        {"start_pages": PAGES, "home_page": "", "show_home_button": "no"},
        follow=True,
    )
    assert "Saved." in page.text
    assert wanted(three_people) == {
        "start_pages": ["https://example.org/", "http://example.net"],
        "home_page": None,
        "show_home_button": False,
    }
    assert "https://example.org/\nhttp://example.net" in browser.get(address).text
    page = browser.post(three_people.at_site("start-pages/remove/"), follow=True)
    assert "Removed." in page.text
    assert wanted(three_people) is None


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"start_pages": ""}, "This field is required."),
        ({"start_pages": "ftp://example.org"}, "ftp://example.org is not an address"),
        (
            {"start_pages": "https://a.example\njavascript:alert(1)"},
            "is not an address",
        ),
        ({"start_pages": "\n".join(["https://a.example"] * 9)}, "between 1 and 8"),
        (
            {"start_pages": "https://a.example", "home_page": "<b>"},
            "&lt;b&gt; is not an address",
        ),
        (
            {"start_pages": "https://a.example", "show_home_button": "maybe"},
            "Select a valid choice",
        ),
    ],
)
def test_wrong_values_are_explained(
    three_people: ThreePeople, form: dict[str, str], sentence: str
) -> None:
    page = browser_of(three_people.alice).post(
        three_people.at_site("start-pages/"), form
    )
    assert page.status_code == 200
    assert sentence in page.text
    assert wanted(three_people) is None


def test_the_auditor_reads_and_has_no_form(three_people: ThreePeople) -> None:
    address = three_people.at_site("start-pages/")
    browser_of(three_people.alice).post(address, {"start_pages": "https://a.example"})
    page = browser_of(three_people.bob).get(address)
    assert "https://a.example" in page.text
    assert "<textarea" not in page.text
