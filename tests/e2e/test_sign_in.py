"""People sign in by a link, with a password, and with a second factor."""

import re

from playwright.sync_api import expect

from tests.e2e.browsing import IN_BROWSER, Windows
from tests.e2e.scene import PASSWORD, Scene, one_time_code

pytestmark = IN_BROWSER

OLGA = "olga@norrby.example"


def test_a_link_signs_in_once(windows: Windows, scene: Scene) -> None:
    link = scene.links["lisa@norrby.example"]
    window = windows.open()
    window.open(link)
    window.page.get_by_role("button", name="Sign in").click()
    expect(window.page).to_have_url(re.compile("/at/norrby/[a-z]+/$"))
    expect(window.page.get_by_text("You have no password yet")).to_be_visible()
    expect(window.page.get_by_role("heading", level=1)).to_have_text("Today")

    second = windows.open()
    second.open(link)
    second.expected_status = 410
    second.page.get_by_role("button", name="Sign in").click()
    expect(second.page.get_by_role("alert")).to_be_visible()


def test_a_second_factor_is_turned_on_and_asked_for(
    windows: Windows, scene: Scene
) -> None:
    window = windows.open()
    page = window.page
    heading = page.get_by_role("heading", level=1)
    window.open(scene.links[OLGA])
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(heading).to_have_text("Today")
    window.open("/accounts/password/set/")
    page.locator("[name=password1]").fill(PASSWORD)
    page.locator("[name=password2]").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    expect(heading).to_have_text("Change password")

    window.open("/accounts/2fa/")
    page.get_by_role("link", name="Turn on").click()
    expect(heading).to_have_text("Is it still you?")
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    secret = page.locator("pre.secret").inner_text()
    page.get_by_label("Authenticator code").fill(one_time_code(secret))
    page.get_by_role("button", name="Turn on").click()
    expect(heading).to_have_text("Recovery codes")
    recovery_code = page.locator("pre.secret").inner_text().split()[0]

    window.open("/accounts/logout/")
    page.locator("main").get_by_role("button", name="Sign out").click()

    expect(heading).to_have_text("Sign in")
    page.locator("[name=login]").fill(OLGA)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(heading).to_have_text("Second step")
    page.locator("[name=code]").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".errorlist")).to_be_visible()
    page.locator("[name=code]").fill(recovery_code)
    page.get_by_role("button", name="Sign in").click()
    expect(heading).to_have_text("Today")
