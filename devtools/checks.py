"""Checks that need no server: types, migrations, imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECK_SECONDS = 900


def offline_environment() -> dict[str, str]:
    """Return an environment in which settings load and no server can be reached."""
    return dict(os.environ) | {
        "DJANGO_SETTINGS_MODULE": "admin_site.config.settings",
        "DATABASE_URL": "postgresql://nobody@localhost/none?host=/nonexistent",
        "REDIS_URL": "unix:///nonexistent/cache.sock",
        "CITIZENPC_SECRET_KEY": "only-for-checks-that-reach-no-server-" + "0" * 32,
        "CITIZENPC_ORIGIN": "http://127.0.0.1:8000",
        "CITIZENPC_BLOB_DIR": "/nonexistent",
        "CITIZENPC_PROCESS": "command",
    }


def types() -> list[list[str]]:
    """Commands of the strict type checks: the whole, then the agent on Python 3.10."""
    mypy = [sys.executable, "-m", "mypy"]
    agent = ["--config-file", "client_agent/mypy.ini", "client_agent", "scripts"]
    return [mypy, [*mypy, *agent]]


def migrations() -> list[list[str]]:
    """Command that fails when a model was changed without a migration."""
    # The history in a database is looked at where there is one: in the tests.
    quiet = "ignore:Got an error checking a consistent migration history"
    manage = [sys.executable, "-W", quiet, "manage.py"]
    return [[*manage, "makemigrations", "--check", "--dry-run"]]


def imports() -> list[list[str]]:
    """Command that compares the imports with the contracts in pyproject.toml."""
    code = "from importlinter.cli import lint_imports_command as run; run()"
    return [[sys.executable, "-c", code]]


CHECKS = {"types": types, "migrations": migrations, "imports": imports}


def main(arguments: list[str]) -> int:
    """Run the named check's commands; return the first status that is not 0."""
    if len(arguments) != 1 or arguments[0] not in CHECKS:
        print(f"Usage: python -m devtools.checks {'|'.join(CHECKS)}", file=sys.stderr)
        return 2
    statuses = [
        subprocess.run(
            command, cwd=ROOT, env=offline_environment(), timeout=CHECK_SECONDS
        ).returncode
        for command in CHECKS[arguments[0]]()
    ]
    return next((status for status in statuses if status), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
