"""Browser windows that note everything that went wrong in them."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
)

from tests.e2e.scene import Scene

# The first test of a run waits for the portal with its people and computers.
IN_BROWSER = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]
LANGUAGES = ("en", "da", "sv")
LANGUAGE_COOKIE = "django_language"
NARROW = 360
WIDE = 1440
HEIGHT = 800
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

MARK = "window.hasNotBeenLoadedAgain = true"
IS_MARKED = "window.hasNotBeenLoadedAgain === true"

# htmx writes these when a request was given up: for a newer one, or with the page.
GIVEN_UP = ("htmx:sendAbort", "htmx:afterRequest")

# Whether the focused element shows that it is, and is where it can be seen.
FOCUS = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return {
    name: element.outerHTML.slice(0, 120),
    isOutlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    isInView: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 &&
      box.top < innerHeight && box.left < innerWidth,
  };
}"""


@dataclass
class Window:
    """One window; `problems` are errors of scripts, of loading and of the policy.

    `expected_status` is what the main document may answer, `is_socket_blocked` says
    that sockets are refused on purpose: neither is a problem then.
    """

    page: Page
    scene: Scene
    origin: str
    problems: list[str] = field(default_factory=list)
    expected_status: int = 200
    is_socket_blocked: bool = False

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", self._error)

    def open(self, path: str, *, status: int = 200) -> None:
        """Go to a path of the portal, which must answer with `status`."""
        self.expected_status = status
        address = path if "://" in path else self.origin + path
        answer = self.page.goto(address)
        assert answer is not None
        assert answer.status == status, f"{path} answered {answer.status}"

    def mark(self) -> None:
        """Remember this document, to see later that it is still the same."""
        self.page.evaluate(MARK)

    def is_same_document(self) -> bool:
        """Whether nothing was loaded anew since `mark`."""
        return bool(self.page.evaluate(IS_MARKED))

    def speak(self, language: str) -> None:
        """Let the next pages be in `language`, as the language menu would."""
        for origin in (self.scene.origin, self.scene.wrong_origin):
            cookie: Any = {"name": LANGUAGE_COOKIE, "value": language, "url": origin}
            self.page.context.add_cookies([cookie])

    def tab_to(self, target: Locator, *, at_most: int = 60) -> None:
        """Press Tab until `target` has the focus, which is visible on the whole way."""
        for _ in range(at_most):
            self.page.keyboard.press("Tab")
            self.check_focus()
            if target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"{target} is not reached by {at_most} tabs")

    def check_focus(self) -> None:
        """Fail when the focused element does not show it."""
        focus: dict[str, Any] | None = self.page.evaluate(FOCUS)
        if focus is not None:
            assert focus["isOutlined"], f"no visible focus: {focus['name']}"
            assert focus["isInView"], f"focus out of view: {focus['name']}"

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        is_socket = "WebSocket" in message.text
        where = message.location["url"]
        is_document = where.split("#")[0] == self.page.url
        # Asked for by the browser itself where a page is plain text.
        is_icon = where == f"{self.origin}/favicon.ico"
        if is_icon or message.text.startswith(GIVEN_UP):
            return
        if is_socket and self.is_socket_blocked:
            return
        if is_document and f"status of {self.expected_status} " in message.text:
            return
        self.problems.append(f"{self.page.url}: {message.text} ({where})")

    def _error(self, error: Error) -> None:
        self.problems.append(f"{self.page.url}: {error}")


@dataclass
class Windows:
    """Opens windows of one test and closes them after it."""

    browser: Browser
    scene: Scene
    opened: list[Window] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(
        self,
        person: str | None = None,
        *,
        width: int = WIDE,
        height: int = HEIGHT,
        has_scripts: bool = True,
        locale: str = "en-GB",
        through: str = "",
    ) -> Window:
        """A new window of a browser that knows nothing but who `person` is.

        `through` is the origin of a proxy before the portal.
        """
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=has_scripts,
            locale=locale,
            reduced_motion="reduce",
        )
        context.set_default_timeout(20_000)
        self.contexts.append(context)
        if person:
            context.add_cookies(self.scene.cookies_of(person))
        window = Window(context.new_page(), self.scene, through or self.scene.origin)
        self.opened.append(window)
        return window

    def close(self) -> None:
        """Close all windows; fail for what went wrong in one of them."""
        problems = [each for window in self.opened for each in window.problems]
        for context in self.contexts:
            context.close()
        assert not problems, "\n".join(problems)
