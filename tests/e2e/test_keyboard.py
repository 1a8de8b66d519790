"""Everything without a mouse, and the focus can always be seen."""

import pytest
from playwright.sync_api import expect

from devtools.staff import wait_for
from tests.e2e.browsing import IN_BROWSER, NARROW, WIDE, Window, Windows
from tests.e2e.scene import IVAR, PASSWORD, Scene

pytestmark = IN_BROWSER


def _enter(window: Window) -> None:
    window.page.keyboard.press("Enter")


def _follow(window: Window) -> None:
    """Press Enter on what leads to another page."""
    with window.page.expect_navigation():
        _enter(window)


def _fill(window: Window, name: str, text: str) -> None:
    window.tab_to(window.page.locator(f"main input[name={name}]"))
    window.page.keyboard.type(text)


def _through_menu(window: Window, entry: str, *, role: str) -> None:
    """Choose an entry of the menu under the person's name."""
    page = window.page
    window.tab_to(page.locator("summary").filter(has_text="Signed in as"))
    _enter(window)
    target = page.locator(".menu-list").get_by_role(role, name=entry)  # type: ignore[arg-type]
    window.tab_to(target)
    _follow(window)


def test_a_password_is_set_and_used(windows: Windows, scene: Scene) -> None:
    window = windows.open()
    page = window.page
    window.open(scene.links["karl@norrby.example"])
    window.tab_to(page.locator("main").get_by_role("button", name="Sign in"))
    _follow(window)
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")

    _through_menu(window, "Password", role="link")
    expect(page.get_by_role("heading", level=1)).to_have_text("Set a password")
    _fill(window, "password1", PASSWORD)
    _fill(window, "password2", PASSWORD)
    _follow(window)
    expect(page.locator(".messages")).not_to_be_empty()

    _through_menu(window, "Sign out", role="button")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    _fill(window, "login", "karl@norrby.example")
    _fill(window, "password", PASSWORD)
    _follow(window)
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")


def test_the_menu_can_be_skipped(windows: Windows, scene: Scene) -> None:
    window = windows.open(IVAR, width=NARROW)
    page = window.page
    window.open(f"{scene.base}/scripts/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport(ratio=1)
    window.check_focus()
    _enter(window)
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    window.check_focus()
    assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_a_script_is_run_and_cancelled(
    windows: Windows, scene: Scene, width: int
) -> None:
    window = windows.open(IVAR, width=width)
    page = window.page
    window.open(f"{scene.base}/")
    window.tab_to(page.get_by_role("link", name="Scripts", exact=True))
    _follow(window)
    window.tab_to(page.get_by_role("link", name="wait-for-file"))
    _follow(window)
    window.tab_to(page.get_by_role("link", name="Run this script"))
    _follow(window)
    name = scene.agent.name
    window.tab_to(page.get_by_role("checkbox", name=name, exact=True))
    page.keyboard.press("Space")
    window.tab_to(page.get_by_role("button", name="Run now"))
    _follow(window)
    expect(page.get_by_role("log")).to_have_text("begin\n")

    window.tab_to(page.get_by_role("link", name="Cancel…"))
    _follow(window)
    window.tab_to(page.get_by_role("button", name="Cancel the run"))
    _follow(window)
    expect(page.locator(".job-state")).to_have_text("Cancelled")


def test_the_question_before_leaving(windows: Windows, scene: Scene) -> None:
    window = windows.open(IVAR)
    page = window.page
    window.open(f"{scene.empty_base}/start-pages/")
    window.tab_to(page.get_by_role("textbox").first)
    page.keyboard.type("https://unsaved.example/")
    today = page.get_by_role("link", name="Today", exact=True)
    dialog = page.get_by_role("dialog")

    today.focus()
    _enter(window)
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(today).to_be_focused()

    _enter(window)
    window.tab_to(dialog.get_by_role("button", name="Leave without saving"), at_most=3)
    _follow(window)
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")


def test_menus_open_and_close(windows: Windows, scene: Scene) -> None:
    window = windows.open(IVAR, width=NARROW)
    page = window.page
    window.open(f"{scene.base}/")
    summary = page.locator("summary").filter(has_text="Language:")
    window.tab_to(summary)
    _enter(window)
    entry = page.get_by_role("button", name="Dansk")
    window.tab_to(entry)
    page.keyboard.press("Escape")
    expect(entry).to_be_hidden()
    expect(summary).to_be_focused()


@pytest.mark.parametrize("place", ["", "computers/"])
def test_the_focus_stays_when_a_part_is_renewed(
    windows: Windows, scene: Scene, place: str
) -> None:
    window = windows.open(IVAR)
    page = window.page
    # The page looks again every minute; the minute need not pass.
    page.clock.install()
    window.open(f"{scene.base}/{place}")
    link = page.locator("main").get_by_role("link", name=scene.agent.name)
    link.focus()
    link.evaluate("element => { element.isOld = true; }")
    with page.expect_response(lambda answer: answer.url.endswith(f"/{place}")):
        page.clock.fast_forward("01:00")
    wait_for(lambda: not link.evaluate("element => element.isOld"), "the new part")
    expect(link).to_be_focused()
