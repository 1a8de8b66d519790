"""Staff make a token and let a computer in; a real agent asks."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from devtools.staff import wait_for
from tests.contract.conftest import Agent
from tests.e2e.browsing import IN_BROWSER, Windows
from tests.e2e.scene import IVAR, Scene

pytestmark = IN_BROWSER

# Which of the two is a matter of seconds here; test_today.py looks closer.
SEEN = re.compile("On, seen|Not seen for")


def test_a_computer_enrols_and_is_approved(
    windows: Windows, scene: Scene, new_agent: Callable[[], Agent]
) -> None:
    window = windows.open(IVAR)
    page = window.page
    window.open(f"{scene.base}/enrol/")
    page.get_by_label("For how many computers").fill("2")
    page.get_by_role("button", name="Make a token").click()
    token = page.locator("#token").inner_text()
    assert token in page.locator("#command").inner_text()
    page.get_by_role("link", name="To the computers that wait").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Enrol computers")
    window.mark()

    agent = new_agent()
    assert agent.enrol(token).returncode == 0
    code = wait_for(lambda: agent.status().get("pairing_code"), "its pairing code")
    card = page.locator(".pending-card").filter(has_text=code)
    expect(card).to_be_visible()
    assert window.is_same_document()

    card.get_by_label("Name", exact=True).fill("Reading room 1")
    card.get_by_role("button", name=re.compile("Approve")).click()
    expect(page.locator(".messages")).to_contain_text("Reading room 1")
    expect(card).to_have_count(0)

    page.get_by_role("link", name="Computers", exact=True).click()
    row = page.get_by_role("row").filter(has_text="Reading room 1")
    expect(row).to_contain_text(SEEN)
    page.get_by_role("link", name="Today", exact=True).click()
    shown = page.locator(".computer-card").filter(has_text="Reading room 1")
    expect(shown).to_contain_text(SEEN)
