"""Other programs, run by a script."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from client_agent.scriptlib.output import fail
from client_agent.scriptlib.paths import root

_SYSTEM_DIRECTORIES = tuple(
    Path(path) for path in ("/usr", "/bin", "/sbin", "/opt", "/snap")
)


@dataclass(frozen=True)
class Finished:
    """How a program ended and what it printed; bad UTF-8 is replaced."""

    status: int
    output: str
    errors: str


def has_program(name: str) -> bool:
    """Whether `name` is on PATH."""
    return shutil.which(name) is not None


def run(
    argv: Sequence[str], *, timeout_seconds: float = 60, changes: bool = False
) -> Finished:
    """Run a program to its end, with nothing on its standard input.

    `changes` marks a program that changes the computer: in a sandbox only a program
    that is not the real system's is run. Ends the script with ``program-missing``,
    ``program-timed-out`` or ``sandboxed``; who calls looks at the status.
    """
    found = shutil.which(argv[0])
    if found is None:
        fail("program-missing", f"{argv[0]} is not installed")
    if changes and _is_outside_sandbox(Path(found)):
        fail("sandboxed", f"{argv[0]} would change the computer around the sandbox")
    try:
        process = subprocess.run(
            [found, *argv[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_seconds,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        fail("program-timed-out", f"{argv[0]} did not end in {timeout_seconds} s")
    except OSError as error:
        fail("program-failed", f"{argv[0]} cannot be started: {error.strerror}")
    return Finished(
        status=process.returncode,
        output=process.stdout.decode("utf-8", "replace"),
        errors=process.stderr.decode("utf-8", "replace"),
    )


def _is_outside_sandbox(program: Path) -> bool:
    if root() == Path("/") or root() in program.parents:
        return False
    return any(directory in program.parents for directory in _SYSTEM_DIRECTORIES)
