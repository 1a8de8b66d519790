"""Today says in words which computers are on and which are not."""

import re

from playwright.sync_api import expect

from devtools.staff import wait_for
from tests.e2e.browsing import IN_BROWSER, Windows
from tests.e2e.scene import IVAR, Scene, stop

pytestmark = IN_BROWSER


def test_a_computer_goes_and_comes_back(windows: Windows, scene: Scene) -> None:
    window = windows.open(IVAR)
    page = window.page
    # The page looks again every minute; the minutes need not pass.
    page.clock.install()
    window.open(f"{scene.base}/")
    window.mark()
    card = page.locator(".computer-card").filter(
        has=page.get_by_role("link", name=scene.agent.name, exact=True)
    )

    def says(words: str) -> bool:
        with page.expect_response(re.compile(re.escape(scene.base) + "/$")):
            page.clock.fast_forward("01:00")
        return re.search(words, card.inner_text()) is not None

    stop(scene.agent)
    try:
        wait_for(lambda: says(r"Not seen for \d+ seconds: check its power"), "away")
        expect(card).to_have_class(re.compile("is-away"))
    finally:
        scene.agent.start()
    wait_for(lambda: says("On, seen just now"), "on")
    expect(card).to_have_class(re.compile("is-on"))
    assert window.is_same_document()
