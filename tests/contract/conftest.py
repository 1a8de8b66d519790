"""A real portal (two web processes, a worker) and real agents, over real sockets."""

import json
import os
import shutil
import signal
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from devtools import processes, stack
from devtools.children import Child, spawn
from devtools.servers import Servers
from devtools.staff import Staff, wait_for
from scripts.index import LIBRARY_ROOT
from tests.fakes.faulty_proxy import FaultyProxy

POLL_SECONDS = 2
ORGANISATION = "norrby"
SITE = "library"
WRONG_CLOCK = stack.ROOT / "tests" / "fakes" / "wrong_clock"

TEST_SCRIPTS = {
    # Each prints "begin", then does what its name says.
    "say-hello": "echo begin\necho hello\n",
    "wait-for-file": (
        'echo begin\necho once >> "$CITIZENPC_ROOT/effects"\n'
        'while [ ! -e "$CITIZENPC_ROOT/go-on" ]; do sleep 0.05; done\necho end\n'
    ),
    "fifty-megabytes": (
        "echo begin\n"
        "awk 'BEGIN { for (i = 0; i < 524288; i++) printf \"%099d\\n\", i }'\n"
        "echo end\n"
    ),
    "binary-rubbish": "echo begin\nprintf '\\000\\377\\376\\033[31m\\r\\n'\necho end\n",
}


@dataclass
class Lab:
    """The portal, its proxy, and what staff do."""

    stack: stack.Stack
    proxy: FaultyProxy
    directory: Path
    staff: Staff
    token: str
    agents: int = 0
    cleanup: ExitStack = field(default_factory=ExitStack)


@dataclass
class Agent:
    """A real agent in a sandbox."""

    lab: Lab
    name: str
    root: Path
    portal: str
    process: Child | None = None

    def start(self, *, clock_offset_seconds: int = 0) -> "Agent":
        """Start both halves, on a machine whose clock is off by that much."""
        arguments = ["run", "--with-link", "--root", str(self.root)]
        environment = stack.agent_environment()
        if clock_offset_seconds:
            environment["WRONG_CLOCK_SECONDS"] = str(clock_offset_seconds)
            environment["PYTHONPATH"] = f"{WRONG_CLOCK}:{environment['PYTHONPATH']}"
        self.process = spawn(
            self.name,
            [*stack.AGENT, *arguments],
            log=self.root / "log",
            environment=environment,
            directory=stack.ROOT,
        )
        self.lab.cleanup.callback(self.process.stop)
        return self

    def start_again(self) -> "Agent":
        """Stop it as the system would, and start it."""
        assert self.process is not None
        self.process.stop()
        return self.start()

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run ``citizenpc-agent`` in the sandbox."""
        return subprocess.run(
            [*stack.AGENT, *arguments, "--root", str(self.root)],
            capture_output=True,
            text=True,
            env=stack.agent_environment(),
            cwd=stack.ROOT,
            timeout=60,
        )

    def enrol(self, token: str) -> "subprocess.CompletedProcess[str]":
        """Write down where to enrol; the running agent does the rest."""
        return self.command(
            "enrol", "--portal", self.portal, "--token", token, "--no-wait"
        )

    def status(self) -> dict[str, Any]:
        """What ``citizenpc-agent status`` reads, empty before there is one."""
        path = self.root / "run/citizenpc/status.json"
        status: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        return status

    def halves(self) -> tuple[int, int]:
        """Process ids of the root half and of link."""
        assert self.process is not None
        root = psutil.Process(self.process.pid)
        link = next(
            child
            for child in root.children()
            if "client_agent.link" in " ".join(child.cmdline())
        )
        return root.pid, link.pid

    def kill(self, pid: int) -> None:
        """As a crash or a power cut would."""
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real library with a category of test scripts."""
    root = tmp_path_factory.mktemp("library")
    shutil.copytree(LIBRARY_ROOT, root, dirs_exist_ok=True)
    with (root / "categories.toml").open("a") as file:
        file.write('\n[testing]\nen = "Testing"\nda = "Test"\nsv = "Test"\n')
    for slug, body in TEST_SCRIPTS.items():
        write_script(root, slug, f"#!/bin/sh\n{body}".encode())
    write_script(root, "empty", b"")
    padding = b"# padding padding padding padding\n" * 308_405
    write_script(root, "ten-megabytes", b"#!/bin/sh\necho begin\nexit 0\n" + padding)
    return root


def write_script(root: Path, slug: str, content: bytes) -> None:
    """Add one script to a library."""
    directory = root / "testing" / slug
    directory.mkdir(parents=True)
    executable = directory / "run"
    executable.write_bytes(content)
    executable.chmod(0o755)
    texts = "\n".join(f'{language} = "{slug}"' for language in ("en", "da", "sv"))
    (directory / "script.toml").write_text(
        textwrap.dedent(
            f"""\
            slug = "{slug}"
            category = "testing"
            version = "1.0.0"
            products = ["desktop"]
            releases = ["debian-12"]
            risk = "changes"
            needs_agent = "0.1.0"
            expected_seconds = 5
            limit_seconds = 120
            """
        )
        + f"[title]\n{texts}\n[description]\n{texts}\n"
    )


@pytest.fixture(scope="session")
def make_lab(
    make_servers: Callable[[], Servers],
    tmp_path_factory: pytest.TempPathFactory,
    library: Path,
) -> Iterator[Callable[[], Lab]]:
    """A maker of portals; each is started once and shared unless a test breaks it."""
    with ExitStack() as everything:

        def make() -> Lab:
            return _start_lab(everything, make_servers(), tmp_path_factory, library)

        yield make


@pytest.fixture(scope="session")
def shared_lab(make_lab: Callable[[], Lab]) -> Lab:
    return make_lab()


@pytest.fixture
def lab(shared_lab: Lab) -> Iterator[Lab]:
    """The shared portal; agents that the test started are stopped after it."""
    shared_lab.proxy.blocks_sockets = False
    shared_lab.proxy.seen.clear()
    with ExitStack() as cleanup:
        shared_lab.cleanup = cleanup
        yield shared_lab


def _start_lab(
    everything: ExitStack,
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
    library: Path,
) -> Lab:
    directory = tmp_path_factory.mktemp("portal")
    ports = [processes.free_port(), processes.free_port()]
    proxy = everything.enter_context(FaultyProxy(ports[0]))
    extra = [f"http://127.0.0.1:{ports[1]}", proxy.origin]
    portal = everything.enter_context(
        stack.serving(
            directory,
            servers,
            ports=ports,
            extra={
                "CITIZENPC_EXTRA_ORIGINS": ",".join(extra),
                "CITIZENPC_POLL_SECONDS": str(POLL_SECONDS),
            },
        )
    )
    manage(portal, "load_library", "--library", str(library), as_owner=True)
    manage(
        portal,
        *("create_organisation", "--name", "Norrby", "--slug", ORGANISATION),
        *("--site-name", "Library", "--site-code", SITE),
    )
    link = manage(
        portal,
        *("one_time_link", "--email", "it@norrby.example", "--name", "Ivar"),
        *("--organisation", ORGANISATION, "--role", "it_technician"),
    )
    staff = Staff(portal.origin, ORGANISATION, SITE)
    staff.sign_in(link.strip().splitlines()[-1])
    token = wait_for(lambda: _token(staff), "the organisation's signing key")
    return Lab(portal, proxy, directory, staff, token)


def manage(portal: stack.Stack, *arguments: str, as_owner: bool = False) -> str:
    """Run a management command of this portal."""
    return processes.manage(portal.environment, *arguments, as_owner=as_owner)


def _token(staff: Staff) -> str | None:
    try:
        return staff.make_token(uses=200)
    except RuntimeError:
        return None


def make_agent(lab: Lab, *, through_proxy: bool = True) -> Agent:
    """A started agent that is not enrolled yet."""
    lab.agents += 1
    name = f"pc-{lab.agents}"
    root = lab.directory / "agents" / name
    root.mkdir(parents=True)
    portal = lab.proxy.origin if through_proxy else lab.stack.origin
    return Agent(lab, name, root, portal).start()


def enrolled_agent(lab: Lab, *, through_proxy: bool = True) -> Agent:
    """A started agent that staff have approved by its code, with its first state."""
    agent = make_agent(lab, through_proxy=through_proxy)
    assert agent.enrol(lab.token).returncode == 0
    code = wait_for(lambda: agent.status().get("pairing_code"), "its code")
    lab.staff.approve(code, agent.name)
    state = agent.root / "var/lib/citizenpc/state.json"
    wait_for(state.exists, "its first state")
    return agent
