"""Where scripts are off, staff can still sign in, read, and run something."""

import re

from playwright.sync_api import expect

from devtools.staff import wait_for
from tests.e2e.browsing import IN_BROWSER, Windows
from tests.e2e.scene import IVAR, Scene

pytestmark = IN_BROWSER


def test_sign_in_read_and_run(windows: Windows, scene: Scene) -> None:
    window = windows.open(has_scripts=False)
    page = window.page
    window.open(scene.links["nora@norrby.example"])
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.locator(".computer-card").first).to_be_visible()

    page.get_by_role("link", name="Computers", exact=True).click()
    page.get_by_label("Search").fill(scene.agent.name)
    page.get_by_role("button", name="Search").click()
    row = page.get_by_role("row").filter(has_text=scene.agent.name)
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(scene.agent.name)

    page.get_by_role("link", name="Run a script here").click()
    page.get_by_role("link", name="say-hello").click()
    page.get_by_role("link", name="Run this script").click()
    expect(
        page.get_by_role("checkbox", name=scene.agent.name, exact=True)
    ).to_be_checked()
    page.get_by_role("button", name="Run now").click()
    expect(page).to_have_url(re.compile("/runs/[0-9a-f-]{36}/$"))

    def has_ended() -> bool:
        page.reload()
        return page.locator(".job-state").inner_text() == "Succeeded"

    wait_for(has_ended, "the end of the run")
    page.get_by_role("link", name="All output").click()
    expect(page.locator("body")).to_have_text("begin\nhello\n")


def test_a_second_click_orders_nothing(windows: Windows, scene: Scene) -> None:
    """Both clicks reach the portal here: nothing in the page holds one back."""
    window = windows.open(IVAR, has_scripts=False)
    page = window.page

    def count() -> int:
        window.open(f"{scene.base}/runs/")
        return int(page.locator("caption").inner_text().split()[0])

    before = count()
    window.open(f"{scene.base}/scripts/say-hello/run/")
    page.get_by_role("checkbox", name=scene.agent.name, exact=True).check()
    page.get_by_role("button", name="Run now").dblclick()
    expect(page).to_have_url(re.compile("/runs/[0-9a-f-]{36}/$"))
    assert count() == before + 1
