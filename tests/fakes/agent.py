"""Real agent processes in a sandbox root, for tests."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from client_agent.paths import Paths
from client_agent.status import Status, read_status

REPOSITORY = Path(__file__).resolve().parents[2]
_LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 20.0


def eventually(
    predicate: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS
) -> Any:
    """Whatever true thing `predicate` returns at last."""
    ends_at = time.monotonic() + seconds
    while not (result := predicate()):
        assert time.monotonic() < ends_at, "it never came"
        time.sleep(_LOOK_SECONDS)
    return result


class AgentProcesses:
    """Both halves below `root`, each a process of its own."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self._root = root
        self.root_half: subprocess.Popen[bytes] | None = None
        self.link: subprocess.Popen[bytes] | None = None
        self._logs = root.parent / f"{root.name}.log"

    def __enter__(self) -> "AgentProcesses":
        return self

    def __exit__(self, *exception: object) -> None:
        for process in (self.root_half, self.link):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def start(self) -> None:
        self.start_root_half()
        self.start_link()

    def start_root_half(self) -> None:
        self.root_half = self._start("client_agent.cli", "run")

    def start_link(self) -> None:
        self.link = self._start("client_agent.link")

    def kill_root_half(self) -> None:
        _kill(self.root_half)

    def kill_link(self) -> None:
        _kill(self.link)

    def stop(self) -> float:
        """End both politely; seconds until the root half had ended."""
        assert self.root_half is not None
        assert self.link is not None
        started_at = time.monotonic()
        self.root_half.send_signal(signal.SIGTERM)
        assert self.root_half.wait(10) == 0, self.log()
        seconds = time.monotonic() - started_at
        self.link.send_signal(signal.SIGTERM)
        assert self.link.wait(10) == 0, self.log()
        return seconds

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run ``citizenpc-agent`` to its end."""
        return subprocess.run(
            self._argv("client_agent.cli", *arguments),
            cwd=REPOSITORY,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start_command(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self._argv("client_agent.cli", *arguments),
            cwd=REPOSITORY,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def enrol(self, portal: Any) -> None:
        """Write configuration and token, as ``enrol --no-wait`` does."""
        done = self.command(
            "enrol", "--no-wait", "--portal", portal.origin, "--token", portal.token
        )
        assert done.returncode == 0, done.stderr

    def status(self) -> Status | None:
        return read_status(self.paths.status)

    def wait_for_status(self, predicate: Callable[[Status], Any]) -> Status:
        def holds() -> Status | None:
            status = self.status()
            if status is None or not predicate(status):
                return None
            is_of_killed = self.root_half and self.root_half.pid != status.pid
            return None if is_of_killed else status

        try:
            found: Status = eventually(holds)
        except AssertionError as error:
            raise AssertionError(f"{self.status()}\n{self.log()}") from error
        return found

    def journal(self) -> list[dict[str, Any]]:
        """The entries of all jobs, as on disk."""
        return [
            json.loads(path.read_bytes())
            for path in sorted(self.paths.journal_dir.glob("*.json"))
        ]

    def log(self) -> str:
        return self._logs.read_text("utf-8", "replace") if self._logs.exists() else ""

    def _start(self, module: str, *arguments: str) -> "subprocess.Popen[bytes]":
        with self._logs.open("ab") as log:
            return subprocess.Popen(
                self._argv(module, *arguments),
                cwd=REPOSITORY,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _argv(self, module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", module, *arguments, "--root", str(self._root)]


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LD_PRELOAD")}
    return {**kept, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


def _kill(process: "subprocess.Popen[bytes] | None") -> None:
    assert process is not None
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
