"""Writes the hash-locked requirements files from pyproject.toml.

The files name versions and hashes, never the address of a package index: where
packages come from is a matter of the machine that installs them.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
LOCK_SECONDS = 600


@dataclass(frozen=True)
class Lock:
    """One requirements file: the groups in it and the versions it follows."""

    name: str
    groups: tuple[str, ...]
    python: str = "3.11"
    follows: tuple[str, ...] = ()


# The agent comes first because it must run on the oldest Python: everything else
# takes the versions that suit it.
LOCKS = (
    Lock("agent", ("agent",), python="3.10"),
    Lock(
        "dev",
        ("portal", "agent", "embedded", "builder", "dev", "test"),
        follows=("agent",),
    ),
    Lock("portal", ("portal",), follows=("dev",)),
    Lock("nodejs", ("nodejs",)),
    Lock("dbus-build", ("dbus-build",), follows=("dev",)),
    Lock("dbus-headers", ("dbus-headers",)),
    Lock("dbus", ("dbus",), follows=("dev", "dbus-headers")),
)


def command_for(lock: Lock, *, upgrade: bool) -> list[str]:
    """Return the uv command that writes one file."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet"]
    command += ["--universal", "--python-version", lock.python]
    command += ["--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links"]
    for group in lock.groups:
        command += ["--group", f"pyproject.toml:{group}"]
    for name in lock.follows:
        command += ["--constraints", f"requirements/{name}.txt"]
    if upgrade:
        command.append("--upgrade")
    return [*command, "--output-file", f"requirements/{lock.name}.txt"]


def main(arguments: list[str]) -> int:
    """Write all files; ``--upgrade`` takes the newest allowed versions."""
    FOLDER.mkdir(exist_ok=True)
    for lock in LOCKS:
        print(f"locking requirements/{lock.name}.txt", flush=True)
        done = subprocess.run(
            command_for(lock, upgrade="--upgrade" in arguments),
            cwd=ROOT,
            timeout=LOCK_SECONDS,
        )
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
