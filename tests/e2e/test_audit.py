"""The audit log in a browser: what a deed changed, and the download."""

import csv
from pathlib import Path

from playwright.sync_api import expect

from devtools import processes
from tests.e2e import rules
from tests.e2e.browsing import IN_BROWSER, LANGUAGES, NARROW, Windows
from tests.e2e.scene import ARNE, ORGANISATION

pytestmark = IN_BROWSER


def test_details_fit_and_speak(windows: Windows) -> None:
    window = windows.open(ARNE, width=NARROW)
    problems: list[str] = []
    for language in LANGUAGES:
        window.speak(language)
        window.open(f"{window.scene.base}/audit/")
        window.page.evaluate(
            "() => document.querySelectorAll('main details')"
            ".forEach((each) => { each.open = true; })"
        )
        expect(window.page.locator("main details[open] dl").first).to_be_visible()
        found = rules.overflow(window.page) + rules.targets(window.page)
        found += rules.accessibility(window.page)
        problems += [f"{language}: {each}" for each in found]
    assert not problems, "\n".join(problems)


def test_the_log_is_downloaded(windows: Windows, tmp_path: Path) -> None:
    window = windows.open(ARNE)
    window.speak("en")
    window.open(f"{window.scene.base}/audit/?action=organisation.created")
    with window.page.expect_download() as started:
        window.page.get_by_role("link", name="Download as CSV").click()
    started.value.save_as(tmp_path / "audit.csv")
    assert started.value.suggested_filename.startswith(f"audit-{ORGANISATION}-")
    with (tmp_path / "audit.csv").open(encoding="utf-8-sig", newline="") as file:
        headings, row = csv.reader(file)
    assert headings[0] == "When"
    assert row[3:5] == ["Organisation created", "organisation.created"]


def test_the_log_of_a_portal_at_work_is_whole(windows: Windows) -> None:
    window = windows.open(ARNE)
    environment = window.scene.lab.stack.environment
    told = processes.manage(environment, "audit", "verify")
    assert f"{ORGANISATION}: whole." in told
