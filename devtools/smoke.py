"""The product's main jobs, once, without a browser: ``make smoke``.

A real portal, a real agent in a sandbox. Prints one line with the seconds that each
job took and ends with a status other than 0 when one of them fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from devtools import seed, stack
from devtools.children import Child, ChildError
from devtools.errors import DevtoolsError
from devtools.staff import Staff, StaffFailed, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECTORY = stack.ROOT / "build" / "smoke"
START_PAGE = "https://www.norrby.example/"
POLICY_FILES = (
    "etc/chromium/policies/managed/citizenpc-start-pages.json",
    "etc/firefox/policies/policies.json",
)


class Timings:
    """Seconds by job, in the order in which they ran."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def job(self, name: str) -> Iterator[None]:
        """Measure the block."""
        begin = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begin

    def line(self) -> str:
        """All of them on one line."""
        parts = [f"{name} {value:.2f} s" for name, value in self.seconds.items()]
        return "smoke: " + ", ".join(parts)


def smoke(directory: Path) -> Timings:
    """Run every main job once.

    Raises:
        DevtoolsError, ChildError: the first job that failed, in a sentence.
    """
    timings = Timings()
    with timings.job("start"):
        context = stack.running(directory)
        portal = context.__enter__()
    try:
        _main_jobs(portal, timings)
    finally:
        with timings.job("stop"):
            context.__exit__(None, None, None)
    return timings


def _main_jobs(portal: stack.Stack, timings: Timings) -> None:
    portal.use_django()
    sample = seed.make_sample(portal.origin)
    seed.wait_for_signing_key(sample.organisation_id)
    staff = Staff(portal.origin, seed.ORGANISATION_SLUG, seed.SITES[0][0])
    with timings.job("sign in"):
        staff.sign_in(sample.link_of("it_technician"))
    with timings.job("enrol"):
        _agent, root = enrol_agent(portal, staff, "smoke")
    with timings.job("first output line"):
        run = staff.run("hardware-inventory", {})
        job = wait_for(lambda: next(iter(staff.jobs_of(run)), None), "the job")
        wait_for(lambda: staff.output_of(run, job), "the first line")
    with timings.job("setting applied"):
        staff.save_start_page(START_PAGE)
        files = [root / each for each in POLICY_FILES]
        wait_for(
            lambda: all(_mentions(each, START_PAGE) for each in files),
            "the browsers' policy files",
        )
    with timings.job("setting removed"):
        staff.remove_start_pages()
        wait_for(
            lambda: not any(each.exists() for each in files),
            "the policy files to be gone",
        )


def enrol_agent(portal: stack.Stack, staff: Staff, name: str) -> tuple[Child, Path]:
    """Start a real agent, enrol it, approve it by its code; returns it and its root."""
    child, root = portal.start_agent(name)
    wait_for((root / "run/citizenpc/status.json").exists, "the agent")
    token = staff.make_token()
    enrolling = subprocess.Popen(
        [
            *stack.AGENT,
            *("enrol", "--root", str(root)),
            *("--portal", portal.origin, "--token", token),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=stack.agent_environment(),
        cwd=stack.ROOT,
    )
    try:
        staff.approve(_pairing_code(enrolling), name)
        status = enrolling.wait(30)
    finally:
        enrolling.kill()
        enrolling.wait()
    if status != 0:
        raise StaffFailed(f"citizenpc-agent enrol ended with status {status}.")
    return child, root


def _pairing_code(enrolling: subprocess.Popen[str]) -> str:
    """The code that ``enrol`` shows, from its output."""
    lines = []
    for line in enrolling.stdout or ():
        lines.append(line)
        found = re.search(r"\b[2-9A-HJ-NP-Z]{6}\b", line)
        if found:
            return found.group()
    raise StaffFailed("citizenpc-agent enrol shows no code:\n" + "".join(lines))


def _mentions(path: Path, text: str) -> bool:
    return path.exists() and text in path.read_text(encoding="utf-8")


def main() -> int:
    """Entry of ``python -m devtools.smoke``."""
    try:
        timings = smoke(DIRECTORY)
    except (DevtoolsError, ChildError) as error:
        print(f"smoke: failed: {error}", file=sys.stderr)
        print(f"The logs are in {DIRECTORY / 'logs'}.", file=sys.stderr)
        return 1
    print(timings.line())
    return 0


if __name__ == "__main__":
    sys.exit(main())
