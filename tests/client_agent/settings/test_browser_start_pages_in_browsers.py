"""The browsers themselves say whether they obey."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from client_agent.protocol.reports import Compliance
from client_agent.protocol.types import Json
from client_agent.reconcile import Context, reconcile
from tests.client_agent.settings import browsers
from tests.client_agent.settings.browsers import Pages

pytestmark = [pytest.mark.timeout(300)]


@pytest.fixture
def pages() -> Iterator[Pages]:
    pages = Pages()
    yield pages
    pages.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def profile() -> Iterator[Path]:
    """Browsers keep sockets there, whose paths must be short."""
    with TemporaryDirectory(prefix="cp-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def apply(root: Path, value: dict[str, Json] | None) -> list[Compliance]:
    wanted: dict[str, Json] = {} if value is None else {"browser-start-pages": value}
    outcomes = reconcile(wanted, context=Context(root, "desktop"))
    return [outcome.status for outcome in outcomes]


READ_POLICIES = """(rows) => rows.map((row) => {
  const said = (part) => row.shadowRoot
    .querySelector(`.policy.row .${part}`).textContent.trim();
  return ["name", "value", "level", "messages"].map(said);
})"""


def policies_in_chromium(root: Path, profile: Path) -> dict[str, list[str]]:
    """What chrome://policy lists as set: value, level and messages by name."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile / "data"),
            executable_path=str(browsers.chromium_wrapper(root, profile)),
            headless=True,
            args=browsers.CHROMIUM_FLAGS,
            env=dict(browsers.environment(profile / "home")),
        )
        page = context.new_page()
        page.goto("chrome://policy")
        page.locator("policy-row").first.wait_for(state="attached")
        rows: list[list[str]] = page.locator("policy-row").evaluate_all(READ_POLICIES)
        context.close()
    assert len(rows) > 100, "policies that are not set are listed too"
    return {name: said for name, *said in rows if said[-1] != "Not set."}


def parsed(shown: str) -> Json:
    """The page shows JSON, but texts without quotation marks."""
    try:
        value: Json = json.loads(shown)
    except ValueError:
        return shown
    return value


@pytest.mark.needs("chromium")
def test_chromium_lists_the_policies_as_mandatory(root: Path, profile: Path) -> None:
    start_pages: list[Json] = ["http://127.0.0.1:9/å", "https://library.example/"]
    apply(
        root,
        {
            "start_pages": start_pages,
            "home_page": "https://home.example/",
            "show_home_button": True,
        },
    )

    found = policies_in_chromium(root, profile)

    values = {name: parsed(shown) for name, (shown, *_) in found.items()}
    assert values == {
        "RestoreOnStartup": 4,
        "RestoreOnStartupURLs": start_pages,
        "HomepageIsNewTabPage": False,
        "HomepageLocation": "https://home.example/",
        "ShowHomeButton": True,
    }
    assert {(level, said) for _, level, said in found.values()} == {("Mandatory", "OK")}


@pytest.mark.needs("chromium")
def test_chromium_knows_nothing_of_it_after_the_removal(
    root: Path, profile: Path
) -> None:
    apply(root, {"start_pages": ["https://library.example/"]})
    assert apply(root, None) == [Compliance.REMOVED]
    assert policies_in_chromium(root, profile) == {}


@pytest.mark.needs("chromium")
def test_chromium_opens_the_start_pages(
    root: Path, profile: Path, pages: Pages
) -> None:
    apply(root, {"start_pages": [pages.url("/one"), pages.url("/two?a=b")]})
    program = [
        shutil.which("chromium") or "chromium",
        "--headless=new",
        f"--user-data-dir={profile / 'data'}",
        *browsers.CHROMIUM_FLAGS,
    ]
    with browsers.running(root, program, profile / "home"):
        assert pages.were_opened("/one", "/two?a=b")


@pytest.fixture
def firefox() -> str:
    """The system's Firefox; the report at the end names it where there is none."""
    for name in ("firefox-esr", "firefox"):
        if path := shutil.which(name):
            return path
    pytest.skip("could not run here: firefox")


def test_firefox_opens_the_start_pages(
    root: Path, profile: Path, pages: Pages, firefox: str
) -> None:
    apply(root, {"start_pages": [pages.url("/one"), pages.url("/two")]})
    program = [
        firefox,
        "--headless",
        "--no-remote",
        "--profile",
        str(profile),
    ]
    with browsers.running(root, program, profile / "home"):
        assert pages.were_opened("/one", "/two")
    written = root / "etc/firefox/policies/policies.json"
    assert "policies" in json.loads(written.read_bytes())
