"""One portal and one Chromium for the tests of a worker."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from devtools import stack
from devtools.system_packages import browser_path
from tests.contract.conftest import Agent, Lab, library, make_agent, make_lab
from tests.e2e import scene as scenes
from tests.e2e.browsing import ARGUMENTS, Windows
from tests.e2e.scene import Scene

__all__ = ["library", "make_lab"]

ASSETS = stack.ROOT / "admin_site" / "frontend" / "dist"
EXPECT_MS = 20_000


@pytest.fixture(scope="session")
def scene(make_lab: Callable[[], Lab]) -> Iterator[Scene]:
    missing = [
        name
        for name in ("site.css", "site.js", "live.js", "output.js")
        if not (ASSETS / name).exists()
    ]
    if missing:
        pytest.fail(f"The front end is not built ({', '.join(missing)}): `make setup`.")
    with ExitStack() as everything:
        yield scenes.build(make_lab(), everything)


@pytest.fixture(scope="module")
def browser(scene: Scene) -> Iterator[Browser]:
    """The system's Chromium.

    Not for the whole session: while it is there Playwright marks an event loop as
    running, which other tests of the process must not see.
    """
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser_path("Chromium"), args=ARGUMENTS
        )
        yield chromium
        chromium.close()


@pytest.fixture
def windows(browser: Browser, scene: Scene) -> Iterator[Windows]:
    """Opens windows; errors in any of them fail the test."""
    opened = Windows(browser, scene)
    yield opened
    opened.close()


@pytest.fixture
def new_agent(scene: Scene) -> Iterator[Callable[[], Agent]]:
    """Starts agents that are not enrolled; they end with the test."""
    started: list[Agent] = []

    def start() -> Agent:
        started.append(make_agent(scene.lab, through_proxy=False))
        return started[-1]

    yield start
    for agent in started:
        scenes.stop(agent)
