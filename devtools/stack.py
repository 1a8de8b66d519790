"""The whole portal, running: servers, web processes, worker, and agents beside it.

The demonstration, the smoke test, the benchmarks and the contract tests all start it
here, so that they run the same thing.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devtools import processes, servers
from devtools.children import Child, spawn

ROOT = processes.ROOT


@dataclass
class Stack:
    """A running portal. `origin` is the address of the first web process."""

    directory: Path
    origin: str
    ports: list[int]
    environment: dict[str, str]
    servers: servers.Servers
    processes: processes.Processes
    web: list[Child] = field(default_factory=list)
    worker: Child | None = None

    @property
    def logs(self) -> Path:
        """Where each process keeps its log."""
        return self.directory / "logs"

    def start_web(self, index: int) -> Child:
        """Start (again) the web process on the port of that index."""
        child = processes.start_web(
            self.environment, self.ports[index], self.logs, name=f"daphne-{index}"
        )
        self.processes.add(child)
        if index < len(self.web):
            self.web[index] = child
        else:
            self.web.append(child)
        return child

    def start_worker(self) -> Child:
        """Start (again) the worker."""
        self.worker = self.processes.add(
            processes.start_worker(self.environment, self.logs)
        )
        return self.worker

    def use_django(self) -> None:
        """Configure Django in this process, once, so that it can call services."""
        import django
        from django.apps import apps

        if not apps.ready:
            os.environ.update(self.environment)
            os.environ["CITIZENPC_PROCESS"] = "command"
            django.setup()

    def start_agent(self, name: str, *arguments: str) -> tuple[Child, Path]:
        """Start a real agent, both halves, in a sandbox below our directory."""
        root = self.directory / "agents" / name
        root.mkdir(parents=True, exist_ok=True)
        child = spawn(
            f"agent-{name}",
            [*AGENT, "run", "--with-link", "--root", str(root), *arguments],
            log=self.logs / f"agent-{name}.log",
            environment=agent_environment(),
            directory=ROOT,
        )
        return self.processes.add(child), root


AGENT = [sys.executable, "-m", "client_agent.cli"]


def agent_environment() -> dict[str, str]:
    """What an agent in a sandbox is told: nothing of the portal's."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "DBUS_SYSTEM_BUS_ADDRESS")
    return {
        "PYTHONPATH": str(ROOT),
        **{name: os.environ[name] for name in kept if name in os.environ},
    }


@contextmanager
def running(
    directory: Path,
    *,
    port: int | None = None,
    durable: bool = False,
    fresh: bool = True,
) -> Iterator[Stack]:
    """Start everything below `directory`, and end it in the opposite order.

    `fresh` begins with an empty database.

    Raises:
        DevtoolsError: a sentence that says what to do.
    """
    if port is not None:
        processes.check_port(port)
    if fresh and directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with (
        servers.start(directory / "servers", durable=durable) as given,
        serving(directory, given, ports=[port or processes.free_port()]) as stack,
    ):
        yield stack


@contextmanager
def serving(
    directory: Path,
    given: servers.Servers,
    *,
    ports: list[int],
    extra: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Run a worker, and a web process on each of `ports`, on servers that run.

    `extra` are further environment variables of theirs.
    """
    environment = processes.environment(given, directory, ports[0])
    environment["CITIZENPC_EXTRA_ORIGINS"] = ",".join(
        f"http://{processes.HOST}:{each}" for each in ports[1:]
    )
    environment.update(extra or {})
    processes.prepare(environment)
    with processes.Processes() as children:
        stack = Stack(
            directory=directory,
            origin=f"http://{processes.HOST}:{ports[0]}",
            ports=ports,
            environment=environment,
            servers=given,
            processes=children,
        )
        stack.start_worker()
        for index in range(len(ports)):
            stack.start_web(index)
        yield stack
