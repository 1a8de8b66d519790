"""``make demo``: the product with sample data, until Ctrl-C.

A portal, a worker, one real agent in a sandbox and a handful of simulated computers,
with one-time links to sign in as people of several roles.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading

from devtools import seed, stack
from devtools.children import ChildError, spawn
from devtools.errors import DevtoolsError
from devtools.staff import wait_for

DIRECTORY = stack.ROOT / "build" / "demo"
PORT = 8000
SIMULATED = 5
WAITING = "new-computer-01"


def main() -> int:
    """Entry of ``python -m devtools.demo``."""
    parser = argparse.ArgumentParser(description="Run CitizenPC with sample data.")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument(
        "--keep", action="store_true", help="go on with the data of the last time"
    )
    options = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        with stack.running(
            DIRECTORY, port=options.port, durable=True, fresh=not options.keep
        ) as portal:
            _furnish(portal)
            _serve(portal, stopping)
    except (DevtoolsError, ChildError) as error:
        print(f"The demonstration cannot run: {error}", file=sys.stderr)
        return 1
    print("Everything has stopped.")
    return 0


def _furnish(portal: stack.Stack) -> None:
    """Sample organisation, computers, and what to open."""
    portal.use_django()
    sample = seed.make_sample(portal.origin)
    seed.wait_for_signing_key(sample.organisation_id)
    first, second = (code for code, _name in seed.SITES)
    _start_real_agent(portal, sample, first)
    for site, name, count in (
        (first, "huvud", SIMULATED - 2),
        (second, "strand", 2),
        (first, WAITING.removesuffix("-01"), 1),
    ):
        _start_simulated(portal, sample, site, name, count)
    approved = 0
    expected = SIMULATED + (0 if _is_enrolled(portal) else 1)

    def all_approved() -> bool:
        nonlocal approved
        approved += seed.approve_pending(
            sample.organisation_id, except_names=(WAITING,)
        )
        return approved >= expected

    wait_for(all_approved, "the computers to enrol", seconds=60)
    _print_addresses(portal, sample)


def _start_real_agent(portal: stack.Stack, sample: seed.Sample, site: str) -> None:
    _child, root = portal.start_agent("real")
    if _is_enrolled(portal):
        return
    token = seed.issue_token(sample.organisation_id, site, uses=1)
    done = subprocess.run(
        [
            *stack.AGENT,
            *("enrol", "--root", str(root), "--no-wait"),
            *("--portal", portal.origin, "--token", token),
        ],
        env=stack.agent_environment(),
        cwd=stack.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0:
        raise DevtoolsError(f"The agent cannot enrol: {done.stdout}{done.stderr}")


def _is_enrolled(portal: stack.Stack) -> bool:
    state = portal.directory / "agents" / "real" / "var/lib/citizenpc/state.json"
    return state.exists()


def _start_simulated(
    portal: stack.Stack, sample: seed.Sample, site: str, name: str, count: int
) -> None:
    token = seed.issue_token(sample.organisation_id, site, uses=count)
    command = [sys.executable, "-m", "devtools.simulate", "--portal", portal.origin]
    command += ["--token", token, "--count", str(count), "--name", name]
    child = spawn(
        f"simulated-{name}",
        command,
        log=portal.logs / f"simulated-{name}.log",
        environment=stack.agent_environment(),
        directory=stack.ROOT,
    )
    portal.processes.add(child)


def _print_addresses(portal: stack.Stack, sample: seed.Sample) -> None:
    print(f"\nCitizenPC is running at {portal.origin}/ with {seed.ORGANISATION_NAME}.")
    print("Sign in with one of these links; each works once:\n")
    for person in sample.people:
        role = person.role.replace("_", " ")
        print(f"  {person.name}, {role}:\n    {person.link}")
    print(f"\nOne computer waits to be approved. Logs: {portal.logs}")
    print("Press Ctrl-C to stop.", flush=True)


def _serve(portal: stack.Stack, stopping: threading.Event) -> None:
    """Return when told to stop.

    Raises:
        ChildError: a process of the portal ended by itself.
    """
    while not stopping.wait(0.5):
        for child in portal.processes.ended():
            raise ChildError(f"{child.name} ended by itself:\n{child.log_tail()}")


if __name__ == "__main__":
    sys.exit(main())
