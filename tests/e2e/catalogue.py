"""Every page of the portal, and how to come to it."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page, Route, expect

from admin_site.portal.manual import PAGES as MANUAL_PAGES
from tests.e2e.browsing import Window
from tests.e2e.scene import ARNE, FRIDA, IVAR, PASSWORD, PAULA, Scene

Opener = Callable[[Window], None]

NO_PAGES = {
    # Only posted to, or parts and texts that a page fetches, or a redirection.
    "home",
    "language",
    "token_revoke",
    "enrolment_approve",
    "enrolment_refuse",
    "start_pages_remove",
    "run_jobs",
    "job_output",
    "mfa_download_recovery_codes",
    "audit_export",
}
WRONG = "nowhere"


@dataclass(frozen=True)
class PortalPage:
    """One page: `view` is its name in the URLconf, `open` leads `person` there."""

    name: str
    view: str
    person: str | None
    open: Opener


def at(path: str, *, status: int = 200) -> Opener:
    """Open `path`; ``{site}`` and ``{empty}`` stand for the two sites."""

    def go(window: Window) -> None:
        window.open(_filled(path, window.scene), status=status)

    return go


def _filled(path: str, scene: Scene) -> str:
    return path.format(
        site=scene.base,
        empty=scene.empty_base,
        computer=scene.computer,
        ended=scene.ended_run,
        waiting=scene.waiting_run,
    )


def submitted(path: str, *, status: int = 200, **values: str) -> Opener:
    """Fill in and send the form at `path`, by names of fields."""

    def go(window: Window) -> None:
        window.open(_filled(path, window.scene))
        for name, value in values.items():
            window.page.locator(f"main [name={name}]").fill(value)
        window.expected_status = status
        _press_and_load(window.page)

    return go


def _press_and_load(page: Page) -> None:
    with page.expect_navigation():
        page.locator("main form [type=submit]").first.click()


def confirmed(path: str) -> Opener:
    """Open a page that first asks for the password again, unless it just did."""

    def go(window: Window) -> None:
        window.open(path)
        password = window.page.locator("input[name=password]")
        if password.count():
            password.fill(PASSWORD)
            _press_and_load(window.page)
        expect(password).to_have_count(0)

    return go


def make_token(window: Window) -> None:
    """The page that shows a new token, this once."""
    window.open(f"{window.scene.base}/enrol/")
    button = window.page.locator("form[action$='/token/'] [type=submit]")
    with window.page.expect_navigation():
        button.click()


def half_signed_in(window: Window) -> None:
    """The second step of signing in; further visits find it still open."""
    window.open("/accounts/2fa/authenticate/")
    if window.page.locator("input[name=login]").count():
        window.page.locator("input[name=login]").fill(PAULA)
        window.page.locator("input[name=password]").fill(PASSWORD)
        _press_and_load(window.page)
    expect(window.page.locator("input[name=code]")).to_be_visible()


def without_csrf_cookie(window: Window) -> None:
    """A form whose cookie has gone meanwhile."""
    window.open("/accounts/login/")
    window.page.context.clear_cookies(name="csrftoken")
    window.page.locator("[name=login]").fill("somebody@norrby.example")
    window.page.locator("[name=password]").fill(PASSWORD)
    window.expected_status = 403
    _press_and_load(window.page)


def wrong_host(window: Window) -> None:
    """An address that the portal does not go by."""
    window.open(window.scene.wrong_origin, status=400)


def rendered(template: str, *, status: int) -> Opener:
    """A page that needs a broken portal: its template, with the portal's policy."""

    def go(window: Window) -> None:
        window.open("/accounts/login/")
        headers = window.page.request.get(window.page.url).headers
        language = window.page.locator("html").get_attribute("lang") or "en"
        policy = headers["content-security-policy"]

        def answer(route: Route) -> None:
            route.fulfill(
                status=status,
                body=_template(template, language),
                content_type="text/html; charset=utf-8",
                headers={"content-security-policy": policy},
            )

        window.page.route("**/broken/", answer)
        window.open("/broken/", status=status)
        window.page.unroute("**/broken/")

    return go


def _template(name: str, language: str) -> str:
    from django.template.loader import get_template
    from django.utils import translation

    with translation.override(language):
        return get_template(name).render({"minutes": 14})


PAGES = [
    # Before signing in
    PortalPage("login", "account_login", None, at("/accounts/login/")),
    PortalPage(
        "login-refused",
        "account_login",
        None,
        submitted(
            "/accounts/login/", login="nobody@norrby.example", password="mistaken"
        ),
    ),
    PortalPage("link", "one_time_link", None, at("/accounts/once/secret/")),
    PortalPage(
        "link-used-up",
        "one_time_link",
        None,
        submitted("/accounts/once/secret/", status=410),
    ),
    PortalPage("inactive", "account_inactive", None, at("/accounts/inactive/")),
    PortalPage("second-step", "mfa_authenticate", None, half_signed_in),
    *[
        PortalPage(f"help-{page}", "help", None, at(f"/help/{page}/"))
        for page in MANUAL_PAGES
    ],
    PortalPage("not-found", "", IVAR, at("/at/elsewhere/library/", status=404)),
    PortalPage("refused", "", FRIDA, at("{site}/scripts/", status=403)),
    PortalPage("form-too-old", "", None, without_csrf_cookie),
    PortalPage("bad-request", "", None, wrong_host),
    PortalPage("error", "", None, rendered("500.html", status=500)),
    PortalPage("unavailable", "", None, rendered("503.html", status=503)),
    PortalPage("too-many-tries", "", None, rendered("429.html", status=429)),
    # One's own account
    PortalPage("logout", "account_logout", IVAR, at("/accounts/logout/")),
    PortalPage("password", "account_set_password", IVAR, at("/accounts/password/set/")),
    PortalPage(
        "password-change",
        "account_change_password",
        PAULA,
        at("/accounts/password/change/"),
    ),
    PortalPage(
        "password-again",
        "account_reauthenticate",
        PAULA,
        at("/accounts/reauthenticate/"),
    ),
    PortalPage(
        "code-again", "mfa_reauthenticate", PAULA, at("/accounts/2fa/reauthenticate/")
    ),
    PortalPage("second-factor-off", "mfa_index", IVAR, at("/accounts/2fa/")),
    PortalPage("second-factor-on", "mfa_index", PAULA, at("/accounts/2fa/")),
    PortalPage(
        "second-factor-turn-on",
        "mfa_activate_totp",
        IVAR,
        at("/accounts/2fa/totp/activate/"),
    ),
    PortalPage(
        "second-factor-turn-off",
        "mfa_deactivate_totp",
        PAULA,
        confirmed("/accounts/2fa/totp/deactivate/"),
    ),
    PortalPage(
        "recovery-codes",
        "mfa_view_recovery_codes",
        PAULA,
        confirmed("/accounts/2fa/recovery-codes/"),
    ),
    PortalPage(
        "recovery-codes-make",
        "mfa_generate_recovery_codes",
        PAULA,
        confirmed("/accounts/2fa/recovery-codes/generate/"),
    ),
    # A site with a computer
    PortalPage("sites", "sites", IVAR, at("/sites/")),
    PortalPage("today", "today", IVAR, at("{site}/")),
    PortalPage("computers", "computers", IVAR, at("{site}/computers/")),
    PortalPage(
        "computers-none-found", "computers", IVAR, at("{site}/computers/?q=nothing")
    ),
    PortalPage("computer", "computer", IVAR, at("{site}/computers/{computer}/")),
    PortalPage(
        "computer-revoke",
        "computer_revoke",
        IVAR,
        at("{site}/computers/{computer}/revoke/"),
    ),
    PortalPage("enrol", "enrol", IVAR, at("{site}/enrol/")),
    PortalPage(
        "token",
        "token_make",
        IVAR,
        make_token,
    ),
    PortalPage("scripts", "scripts", IVAR, at("{site}/scripts/")),
    PortalPage("script", "script", IVAR, at("{site}/scripts/send-message/")),
    PortalPage("run-form", "script_run", IVAR, at("{site}/scripts/send-message/run/")),
    PortalPage(
        "run-form-refused",
        "script_run",
        IVAR,
        submitted("{site}/scripts/send-message/run/"),
    ),
    PortalPage("runs", "runs", IVAR, at("{site}/runs/")),
    PortalPage("run-ended", "run", IVAR, at("{site}/runs/{ended}/")),
    PortalPage("run-waiting", "run", IVAR, at("{site}/runs/{waiting}/")),
    PortalPage("run-cancel", "run_cancel", IVAR, at("{site}/runs/{waiting}/cancel/")),
    PortalPage("start-pages", "start_pages", IVAR, at("{site}/start-pages/")),
    PortalPage(
        "start-pages-refused",
        "start_pages",
        IVAR,
        submitted("{site}/start-pages/", start_pages=WRONG),
    ),
    PortalPage("audit", "audit", ARNE, at("{site}/audit/")),
    PortalPage("audit-none-found", "audit", ARNE, at("{site}/audit/?q=nothing")),
    # A site without any
    PortalPage("today-empty", "today", IVAR, at("{empty}/")),
    PortalPage("computers-empty", "computers", IVAR, at("{empty}/computers/")),
    PortalPage("enrol-empty", "enrol", IVAR, at("{empty}/enrol/")),
    PortalPage("runs-empty", "runs", IVAR, at("{empty}/runs/")),
    PortalPage(
        "run-form-empty", "script_run", IVAR, at("{empty}/scripts/disk-report/run/")
    ),
    PortalPage("start-pages-empty", "start_pages", IVAR, at("{empty}/start-pages/")),
]
