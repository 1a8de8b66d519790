"""Staff run a script by pressing buttons and watch it; a real agent runs it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from devtools.staff import wait_for
from tests.e2e.browsing import IN_BROWSER, Window, Windows
from tests.e2e.scene import IVAR, Scene

pytestmark = IN_BROWSER


@pytest.fixture(autouse=True)
def _waits_again(scene: Scene) -> Iterator[None]:
    """The script that waits for a file waits in the next test too."""
    yield
    (scene.agent.root / "go-on").unlink(missing_ok=True)


def _run_by_buttons(window: Window, slug: str) -> None:
    """From the list of scripts to the page of the run."""
    page = window.page
    window.open(f"{window.scene.base}/scripts/")
    page.get_by_label("Search").fill(slug)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=slug).click()
    page.get_by_role("link", name="Run this script").click()
    page.get_by_role("checkbox", name=window.scene.agent.name, exact=True).check()
    page.get_by_role("button", name="Run now").click()
    expect(page).to_have_url(re.compile("/runs/[0-9a-f-]{36}/$"))
    window.mark()


def _output(page: Page) -> str:
    return page.get_by_role("log").inner_text()


def test_output_appears_while_the_script_runs(windows: Windows, scene: Scene) -> None:
    window = windows.open(IVAR)
    _run_by_buttons(window, "wait-for-file")
    expect(window.page.get_by_role("log")).to_have_text("begin\n")
    expect(window.page.locator(".job-state")).to_have_text("Running")
    (scene.agent.root / "go-on").touch()
    expect(window.page.locator(".job-state")).to_have_text("Succeeded")
    expect(window.page.get_by_role("log")).to_have_text("begin\nend\n")
    expect(window.page.locator(".run-state")).to_contain_text("1 of 1 ended")
    assert window.is_same_document()

    window.page.get_by_role("link", name="All output").click()
    expect(window.page.locator("body")).to_have_text("begin\nend\n")


def test_a_running_script_is_cancelled(windows: Windows, scene: Scene) -> None:
    window = windows.open(IVAR)
    page = window.page
    _run_by_buttons(window, "wait-for-file")
    expect(page.get_by_role("log")).to_have_text("begin\n")
    page.get_by_role("link", name="Cancel…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel this run?")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.locator(".messages")).to_contain_text("1 job is being cancelled")
    window.mark()
    expect(page.locator(".job-state")).to_have_text("Cancelled")
    expect(page.get_by_role("link", name="Cancel…")).to_have_count(0)
    assert window.is_same_document()
    assert _output(page).strip() == "begin"


def test_a_hint_just_after_a_part_was_renewed_counts(
    windows: Windows, scene: Scene
) -> None:
    window = windows.open(IVAR)
    page = window.page
    (scene.agent.root / "go-on").touch()
    _run_by_buttons(window, "wait-for-file")
    expect(page.locator(".job-state")).to_have_text("Succeeded")
    page.evaluate(
        """() => {
          const renew = () => document.getElementById("run-jobs")
            .dispatchEvent(new CustomEvent("live"));
          window.renewals = 0;
          new MutationObserver(() => {
            window.renewals += 1;
            if (window.renewals === 1) renew();
          }).observe(document.getElementById("main"), { childList: true });
          renew();
        }"""
    )
    wait_for(lambda: page.evaluate("window.renewals") == 2, "the second renewal")


def test_a_forgotten_computer_is_asked_for(windows: Windows, scene: Scene) -> None:
    window = windows.open(IVAR)
    page = window.page
    window.open(f"{scene.base}/scripts/say-hello/run/")
    page.get_by_role("button", name="Run now").click()
    errors = page.get_by_text("Choose at least one computer.")
    expect(errors.first).to_be_visible()


def test_output_arrives_by_polling_where_sockets_are_blocked(
    windows: Windows, scene: Scene
) -> None:
    proxy = scene.lab.proxy
    window = windows.open(IVAR, through=proxy.origin)
    page = window.page
    notice = page.get_by_text("The live connection is lost.")

    def shows(text: str) -> bool:
        # The page's ten seconds need not pass.
        with page.expect_response(re.compile("/parts/jobs/")):
            page.clock.fast_forward("00:10")
        return text in page.locator("main").inner_text()

    def is_live() -> bool:
        page.clock.fast_forward("00:31")
        return notice.is_hidden()

    window.is_socket_blocked = proxy.blocks_sockets = True
    try:
        page.clock.install()
        _run_by_buttons(window, "wait-for-file")
        expect(notice).to_be_visible()
        wait_for(lambda: shows("begin"), "the first line")
        (scene.agent.root / "go-on").touch()
        wait_for(lambda: shows("Succeeded"), "the end of the run")
        assert window.is_same_document()
    finally:
        proxy.blocks_sockets = False
    wait_for(is_live, "the live connection")
