"""A member of staff without a browser: signs in and presses buttons over HTTP."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import TypeVar

import requests

from devtools.errors import DevtoolsError

T = TypeVar("T")
_TOKEN = re.compile(r"\b[a-z2-9]{24}\.[A-Za-z0-9_-]{43}\b")
_PENDING = re.compile(
    r'id="pending-([0-9a-f-]{36})".*?class="pairing-code">([0-9A-Z]{6})<', re.DOTALL
)
_RUN = re.compile(r"/runs/([0-9a-f-]{36})/")
_STATE = re.compile(r'class="job-([a-z_]+)" data-job="([0-9a-f-]{36})"')
_JOB = re.compile(r"/jobs/([0-9a-f-]{36})/output/")


class StaffFailed(DevtoolsError):
    """A page did not do what staff expect of it."""


class Staff:
    """One signed-in person at one site."""

    def __init__(self, origin: str, organisation: str, site: str) -> None:
        self.origin = origin
        self.base = f"{origin}/at/{organisation}/{site}"
        self.session = requests.Session()

    def sign_in(self, link: str) -> None:
        """Open a one-time link and press its button."""
        self._get(link)
        self._post(link, {})

    def make_token(self, uses: int = 10) -> str:
        """The text of a new enrolment token, as the page shows it."""
        page = self._post(
            f"{self.base}/enrol/token/", {"uses": str(uses), "valid_days": "1"}
        )
        found = _TOKEN.search(page.text)
        if found is None:
            raise StaffFailed("The Enrol page shows no token.")
        return found.group()

    def approve(self, pairing_code: str, name: str) -> None:
        """Approve the pending computer that shows `pairing_code`."""

        def pending() -> str | None:
            page = self._get(f"{self.base}/enrol/").text
            codes = {code: enrolment for enrolment, code in _PENDING.findall(page)}
            return codes.get(pairing_code)

        enrolment = wait_for(pending, f"a pending computer with code {pairing_code}")
        self._post(f"{self.base}/enrol/{enrolment}/approve/", {"name": name})

    def run(
        self,
        slug: str,
        arguments: dict[str, str],
        *,
        computer: str = "",
        request_id: str = "",
    ) -> str:
        """Run a script on one computer, or on all of the site; returns the run's id."""
        chosen = {"target": "computers", "computers": computer}
        form = {
            **(chosen if computer else {"target": "site"}),
            "request_id": request_id or str(uuid.uuid4()),
            **{f"arg-{name}": value for name, value in arguments.items()},
        }
        page = self._post(f"{self.base}/scripts/{slug}/run/", form)
        found = _RUN.search(page.url)
        if found is None:
            raise StaffFailed(f"Running {slug} led to {page.url}, which is no run.")
        return found.group(1)

    def jobs_of(self, run: str) -> list[str]:
        """Ids of the run's jobs in the order of the page."""
        page = self._get(f"{self.base}/runs/{run}/").text
        return list(dict.fromkeys(_JOB.findall(page)))

    def job_states(self, run: str) -> dict[str, str]:
        """Each job's state by its id, as the run's page marks it."""
        return {
            job: state
            for state, job in _STATE.findall(self._get(f"{self.base}/runs/{run}/").text)
        }

    def whole_output_of(self, run: str, job: str) -> str:
        """Everything that is kept of the job's output."""
        return self._get(f"{self.base}/runs/{run}/jobs/{job}/output/").text

    def output_of(self, run: str, job: str) -> str:
        """What the job has printed so far."""
        return self._get(f"{self.base}/runs/{run}/jobs/{job}/output/?offset=0").text

    def save_start_page(self, address: str) -> None:
        """Set the one start page of the site."""
        self._get(f"{self.base}/start-pages/")
        self._post(f"{self.base}/start-pages/", {"start_pages": address})

    def remove_start_pages(self) -> None:
        """Want no start page any more."""
        self._post(f"{self.base}/start-pages/remove/", {})

    def page(self, path: str) -> str:
        """The HTML of a page of the site."""
        return self._get(f"{self.base}/{path}").text

    def press(self, path: str, form: dict[str, str]) -> requests.Response:
        """Post `form` to a page of the site."""
        return self._post(f"{self.base}/{path}", form)

    def _get(self, url: str) -> requests.Response:
        return _checked(self.session.get(url, timeout=30))

    def _post(self, url: str, form: dict[str, str]) -> requests.Response:
        csrf = self.session.cookies.get("csrftoken") or ""
        return _checked(
            self.session.post(
                url,
                data={"csrfmiddlewaretoken": csrf, **form},
                headers={"Referer": url, "Origin": self.origin},
                timeout=30,
            )
        )


def wait_for(found: Callable[[], T | None], what: str, *, seconds: float = 30) -> T:
    """The first result of `found` that counts as true.

    Raises:
        StaffFailed: there was none in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = found()
        if result:
            return result
        time.sleep(0.02)
    raise StaffFailed(f"Waited {seconds:.0f} s for {what}.")


def _checked(response: requests.Response) -> requests.Response:
    if response.status_code >= 400:
        raise StaffFailed(
            f"{response.request.method} {response.url} answered {response.status_code}."
        )
    return response
