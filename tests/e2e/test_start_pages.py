"""Staff set the start pages of a site, and are asked before they lose a change."""

import pytest
from playwright.sync_api import Dialog, expect

from devtools.staff import wait_for
from tests.e2e.browsing import IN_BROWSER, Window, Windows
from tests.e2e.scene import IVAR, Scene

pytestmark = IN_BROWSER

NOTHING = "Nothing is set: the browsers start as they are."


@pytest.fixture
def window(windows: Windows, scene: Scene) -> Window:
    """The form of the site that has no computer, so that other tests are not met."""
    window = windows.open(IVAR)
    window.open(f"{scene.empty_base}/start-pages/")
    return window


def test_start_pages_are_saved_and_removed(window: Window) -> None:
    page = window.page
    expect(page.get_by_text(NOTHING)).to_be_visible()
    addresses = page.get_by_role("textbox").first
    addresses.fill("https://one.example/\nhttps://two.example/")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".messages")).to_contain_text("Saved.")
    expect(addresses).to_have_value("https://one.example/\nhttps://two.example/")
    expect(page.get_by_text(NOTHING)).to_have_count(0)
    # Nothing is unsaved: leaving asks nothing.
    page.get_by_role("link", name="Today", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")

    page.go_back()
    page.get_by_text("Remove…").click()
    page.get_by_role("button", name="Remove the setting").click()
    expect(page.locator(".messages")).to_contain_text("Removed.")
    expect(page.get_by_text(NOTHING)).to_be_visible()


def test_an_address_that_is_none_is_explained(window: Window) -> None:
    addresses = window.page.get_by_role("textbox").first
    addresses.fill("nowhere")
    window.page.get_by_role("button", name="Save").click()
    wrong = window.page.get_by_text("nowhere is not an address that begins with")
    expect(wrong.first).to_be_visible()
    expect(addresses).to_have_attribute("aria-invalid", "true")
    expect(addresses).to_have_value("nowhere")


def test_leaving_with_an_unsaved_change_asks(window: Window, scene: Scene) -> None:
    page = window.page
    addresses = page.get_by_role("textbox").first
    addresses.fill("https://unsaved.example/")
    today = page.get_by_role("link", name="Today", exact=True)
    dialog = page.get_by_role("dialog", name="Leave without saving?")

    today.click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Stay on this page").click()
    expect(dialog).to_be_hidden()
    expect(addresses).to_have_value("https://unsaved.example/")

    today.click()
    dialog.get_by_role("button", name="Leave without saving").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")
    window.open(f"{scene.empty_base}/start-pages/")
    expect(addresses).to_have_value("")


def test_loading_again_with_an_unsaved_change_asks(window: Window) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    window.page.on("dialog", stay)
    addresses = window.page.get_by_role("textbox").first
    addresses.click()
    addresses.press_sequentially("https://unsaved.example/")
    window.page.evaluate("setTimeout(() => location.reload(), 0)")
    wait_for(lambda: window.page.title() and asked, "the browser's question")
    assert asked == ["beforeunload"]
    expect(addresses).to_have_value("https://unsaved.example/")
    # So that the window can be closed.
    addresses.fill("")
