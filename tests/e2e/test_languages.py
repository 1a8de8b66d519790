"""People choose a language once; it follows them."""

from playwright.sync_api import expect

from tests.e2e.browsing import IN_BROWSER, Windows
from tests.e2e.scene import Scene

pytestmark = IN_BROWSER

NAMES = {"da": "Dansk", "sv": "Svenska", "en": "English"}
HEADINGS = {"da": "Log ind", "sv": "Logga in", "en": "Sign in"}


def test_the_browser_speaks_first(windows: Windows) -> None:
    for language, heading in HEADINGS.items():
        window = windows.open(locale=f"{language}-FI")
        window.open("/accounts/login/")
        expect(window.page.locator("html")).to_have_attribute("lang", language)
        expect(window.page.get_by_role("heading", level=1)).to_have_text(heading)


def test_the_menu_switches_and_stays(windows: Windows, scene: Scene) -> None:
    window = windows.open()
    page = window.page
    window.open(scene.links["tove@norrby.example"])
    page.locator("main").get_by_role("button", name="Sign in").click()
    window.open(f"{scene.base}/computers/?q=nothing")
    for language, name in NAMES.items():
        page.locator("header .menu summary").first.click()
        page.get_by_role("button", name=name).click()
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page).to_have_url(f"{scene.origin}{scene.base}/computers/?q=nothing")

    page.locator("header .menu summary").first.click()
    page.get_by_role("button", name="Svenska").click()
    window.open(f"{scene.base}/enrol/")
    expect(page.locator("html")).to_have_attribute("lang", "sv")
