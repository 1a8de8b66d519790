"""What setup takes from the operating system, and how to get it.

Like setup.py this runs on any Python 3, with the standard library alone.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence

APT_SECONDS = 1200
# Programs by which tests find a browser, and what Debian calls it.
BROWSERS = {
    "Chromium": (
        ("chromium", "chromium-browser", "google-chrome"),
        ("chromium", "fonts-liberation", "fonts-dejavu-core"),
    ),
    "Firefox": (("firefox-esr", "firefox"), ("firefox-esr",)),
}

# What must be there to build and use the D-Bus libraries, and Debian's name for it.
PROGRAMS = {"cc": "gcc", "pkg-config": "pkg-config", "dbus-daemon": "dbus"}
LIBRARIES = {
    "gobject-introspection-1.0": "libgirepository1.0-dev",
    "cairo-gobject": "libcairo2-dev",
    "dbus-1": "libdbus-1-dev",
    "gio-2.0": "libglib2.0-dev",
}


def browser_path(name: str) -> Optional[str]:
    """Return the program of ``Chromium`` or ``Firefox``, None when there is none."""
    paths = (shutil.which(program) for program in BROWSERS[name][0])
    return next((path for path in paths if path), None)


def install_browsers() -> List[str]:
    """Install the browsers that are missing; return why not, one line for each."""
    problems = []
    for name, (_, packages) in BROWSERS.items():
        problem = None if browser_path(name) else install(packages)
        if problem:
            problems.append("{} could not be installed: {}".format(name, problem))
    return problems


def missing_for_dbus(python: Path) -> Dict[str, str]:
    """Return what building the D-Bus libraries lacks: its name and Debian's package."""
    missing = {name: deb for name, deb in PROGRAMS.items() if not shutil.which(name)}
    if "pkg-config" in missing:
        missing.update(LIBRARIES)
    else:
        missing.update(
            {
                name: package
                for name, package in LIBRARIES.items()
                if not _succeeds(["pkg-config", "--exists", name])
            }
        )
    header = _header_of(python)
    if not header.exists():
        missing[str(header)] = header.parent.name + "-dev"
    return missing


def install(packages: Sequence[str]) -> Optional[str]:
    """Install Debian packages; return why not, when it could not be done."""
    prefix = _privilege()
    if prefix is None or not shutil.which("apt-get"):
        return (
            "install {} with your system's package manager (setup does it itself with "
            "apt-get when it is root or sudo asks for no password).".format(
                " ".join(packages)
            )
        )
    print("setup: installing " + " ".join(packages), flush=True)
    # Old lists may do; what matters is whether the installation succeeds.
    _apt(prefix, ["update", "--quiet"])
    lines = _apt(prefix, ["install", "--yes", "--no-install-recommends", *packages])
    return None if lines is None else "apt-get failed: " + " | ".join(lines[-4:])


def _apt(prefix: Sequence[str], arguments: Sequence[str]) -> Optional[List[str]]:
    """Run apt-get; return None when it succeeded, else its last lines."""
    command = [
        *prefix,
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "--option=DPkg::Lock::Timeout=300",
        *arguments,
    ]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            timeout=APT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return ["apt-get took longer than {} s".format(APT_SECONDS)]
    if done.returncode == 0:
        return None
    return [line for line in done.stdout.splitlines() if line.strip()] or ["no output"]


def _privilege() -> Optional[List[str]]:
    """Return what to put before a command to run it as root; None if impossible."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and _succeeds(["sudo", "--non-interactive", "true"]):
        return ["sudo", "--non-interactive"]
    return None


def _header_of(python: Path) -> Path:
    """Return where `python` would have its C header."""
    code = "import sysconfig; print(sysconfig.get_paths()['include'])"
    done = subprocess.run(
        [str(python), "-c", code],
        stdout=subprocess.PIPE,
        universal_newlines=True,
        timeout=60,
    )
    return Path(done.stdout.strip() or sys.prefix) / "Python.h"


def _succeeds(command: Sequence[str]) -> bool:
    done = subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
    return done.returncode == 0
