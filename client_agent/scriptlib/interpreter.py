"""How a script is started: its command line and its environment.

For whoever starts scripts: the agent's runner and the tests. Scripts do not need it.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

PYTHON_SHEBANG = b"#!/usr/lib/citizenpc/python"
"""First line of a Python script; the path need not exist where the script runs."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_SHARED_PACKAGES = ("client_agent", "scripts", "msgspec")

# Python 3.10 has no -P. Its -c puts the working directory first on the path, which
# goes before anything is imported that could be found there.
if sys.version_info >= (3, 11):
    _ALONE = ["-P"]
else:
    _ALONE = [
        "-c",
        "import sys; del sys.path[0], sys.argv[0]; import runpy; "
        "runpy.run_path(sys.argv[0], run_name='__main__')",
    ]


def argv_for(executable: Path, head: bytes) -> list[str]:
    """The command line that starts `executable`, whose content begins with `head`.

    `head` has to hold the whole first line. A Python script runs under the
    interpreter of who asks, unbuffered, without the directories of the script and
    of the user on its path; anything else is started by the kernel.
    """
    if head.partition(b"\n")[0].rstrip() != PYTHON_SHEBANG:
        return [str(executable)]
    return [sys.executable, "-u", "-s", "-B", *_ALONE, str(executable)]


def env_for(
    root: Path = Path("/"), *, credentials: Path | None = None
) -> dict[str, str]:
    """The whole environment of a script; nothing of the caller's is passed on.

    In a sandbox (`root` is not ``/``) the programs below `root` come first on PATH,
    and ``CITIZENPC_ROOT`` says where it is. `credentials` is a directory with one
    file for each secret, named after its parameter.
    """
    environment = {
        "PATH": SYSTEM_PATH,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": ":".join(_library_directories()),
    }
    root = root.absolute()
    if root != Path("/"):
        own = [str(root / part) for part in ("usr/local/bin", "usr/sbin", "usr/bin")]
        environment["PATH"] = ":".join([*own, SYSTEM_PATH])
        environment["CITIZENPC_ROOT"] = str(root)
    if credentials is not None:
        environment["CREDENTIALS_DIRECTORY"] = str(credentials)
    return environment


def _library_directories() -> list[str]:
    directories = []
    for name in _SHARED_PACKAGES:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            package = Path(next(iter(spec.submodule_search_locations)))
            directories.append(str(package.parent.resolve()))
    return list(dict.fromkeys(directories))
