"""What every browser test finds: a portal with people, computers and runs."""

import base64
import hashlib
import hmac
import json
import re
import struct
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import requests

from devtools import stack
from devtools.staff import Staff, wait_for
from tests.contract.conftest import Agent, Lab, enrolled_agent, make_agent

ORGANISATION = "norrby"
SITE = "library"
EMPTY_ORGANISATION = "sydby"
EMPTY_SITE = "branch"
IVAR = "it@norrby.example"
PAULA = "paula@norrby.example"
FRIDA = "frida@norrby.example"
ARNE = "arne@norrby.example"
PASSWORD = "correct horse battery staple"
TOTP_SECONDS = 30
_SECRET = re.compile(r'<pre class="secret"[^>]*>([A-Z2-7]{16,})</pre>')


@dataclass
class Scene:
    """A library with a computer that is on, one that is off and one that is pending.

    A second organisation has none. A run on the first has ended, one on the second
    waits.

    Ivar is IT technician in both; Paula likewise in the first, with password and
    second factor; Frida stands at the front desk and may see computers only; Arne is
    auditor. `links` are unused one-time links, each for the one test that takes it.
    """

    lab: Lab
    agent: Agent
    links: dict[str, str]
    sessions: dict[str, requests.Session]
    computer: str
    ended_run: str
    waiting_run: str

    @property
    def origin(self) -> str:
        """Where the portal is, past the proxy."""
        return self.lab.stack.origin

    @property
    def wrong_origin(self) -> str:
        """The same place by a name that the portal does not go by."""
        return self.origin.replace("127.0.0.1", "localhost")

    @property
    def base(self) -> str:
        """Path of the site with the computer."""
        return f"/at/{ORGANISATION}/{SITE}"

    @property
    def empty_base(self) -> str:
        """Path of the site without any."""
        return f"/at/{EMPTY_ORGANISATION}/{EMPTY_SITE}"

    def cookies_of(self, email: str) -> list[Any]:
        """What makes a browser signed in as that person."""
        return [
            {"name": each.name, "value": each.value or "", "url": self.origin}
            for each in self.sessions[email].cookies
        ]

    def first_output(self, run: str) -> str:
        """Address of the output of a run's first job."""
        job = wait_for(lambda: next(iter(self.lab.staff.jobs_of(run)), None), "the job")
        return f"{self.base}/runs/{run}/jobs/{job}/output/"


def build(lab: Lab, everything: ExitStack) -> Scene:
    """Fill a new portal; what is started for it ends with `everything`."""
    lab.cleanup = everything
    links = make_people(lab)
    agent = enrolled_agent(lab, through_proxy=False)
    computer = str(agent.status()["computer"])
    lab.staff.save_start_page("https://library.example/")
    ended = lab.staff.run("say-hello", {}, computer=computer)
    wait_for(lambda: _has_succeeded(lab, ended), "the end of the first run")
    waiting = lab.staff.run("say-hello", {}, computer=_add_one_that_is_off(lab))
    _leave_one_pending(lab)
    sessions = {
        IVAR: lab.staff.session,
        FRIDA: _sign_in(lab, links.pop(FRIDA)),
        ARNE: _sign_in(lab, links.pop(ARNE)),
        PAULA: _sign_in(lab, links.pop(PAULA)),
    }
    _protect(lab, sessions[PAULA])
    return Scene(lab, agent, links, sessions, computer, ended, waiting)


def make_people(lab: Lab) -> dict[str, str]:
    """Make a second organisation and everybody; their links by address."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.make_people"],
        capture_output=True,
        text=True,
        check=True,
        cwd=stack.ROOT,
        env=lab.stack.environment,
        timeout=120,
    )
    links: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return links


def one_time_code(secret: str) -> str:
    """What an authenticator app shows, for ten more seconds at least. RFC 6238."""
    wait_for(lambda: time.time() % TOTP_SECONDS < TOTP_SECONDS - 10, "the next code")
    counter = struct.pack(">Q", int(time.time()) // TOTP_SECONDS)
    digest = hmac.digest(base64.b32decode(secret), counter, hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def _sign_in(lab: Lab, link: str) -> requests.Session:
    staff = Staff(lab.stack.origin, ORGANISATION, SITE)
    staff.sign_in(link)
    return staff.session


def _protect(lab: Lab, session: requests.Session) -> None:
    """Give a signed-in person a password and a second factor."""
    accounts = f"{lab.stack.origin}/accounts"
    passwords = {"password1": PASSWORD, "password2": PASSWORD}
    _post(session, f"{accounts}/password/set/", passwords)
    page = session.get(f"{accounts}/2fa/totp/activate/", timeout=30)
    _post(session, page.url, {"password": PASSWORD})
    page = session.get(f"{accounts}/2fa/totp/activate/", timeout=30)
    found = _SECRET.search(page.text)
    assert found, f"{page.url} shows no secret"
    code = one_time_code(found[1])
    _post(session, f"{accounts}/2fa/totp/activate/", {"code": code})


def _post(session: requests.Session, address: str, form: dict[str, str]) -> None:
    token = session.cookies.get("csrftoken") or ""
    answer = session.post(
        address,
        data={"csrfmiddlewaretoken": token, **form},
        headers={"Referer": address},
        timeout=30,
    )
    answer.raise_for_status()
    assert answer.url != address, f"{address} did not accept the form"


def _has_succeeded(lab: Lab, run: str) -> bool:
    states = lab.staff.job_states(run)
    return bool(states) and set(states.values()) == {"succeeded"}


def _add_one_that_is_off(lab: Lab) -> str:
    """A computer that was let in and then switched off; what it is to run waits."""
    agent = enrolled_agent(lab, through_proxy=False)
    computer = str(agent.status()["computer"])
    stop(agent)
    return computer


def _leave_one_pending(lab: Lab) -> None:
    """Let a computer ask to be let in, which nobody answers."""
    agent = make_agent(lab, through_proxy=False)
    assert agent.enrol(lab.token).returncode == 0
    wait_for(lambda: agent.status().get("pairing_code"), "its pairing code")
    stop(agent)


def stop(agent: Agent) -> None:
    """End both halves, as switching the computer off does."""
    assert agent.process is not None
    agent.process.stop()
