"""Pytest plugin that fixes the addresses of the test servers before Django loads.

Django reads its settings before any ``conftest.py`` is there, and the servers start
only when a test needs them. So their directory, and with it their addresses, is chosen
here; tests/conftest.py starts them in it. Workers of pytest-xdist inherit the choice.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
from collections.abc import MutableMapping
from pathlib import Path

from devtools import processes, servers, valkey

DIRECTORY = "CITIZENPC_TEST_DIRECTORY"
RUN = "CITIZENPC_TEST_RUN"
APP_URL = "CITIZENPC_TEST_APP_URL"
OWNER_URL = "CITIZENPC_TEST_OWNER_URL"
GIVEN_REDIS_URL = "CITIZENPC_TEST_REDIS_URL"
IS_EMBEDDED = "CITIZENPC_TEST_IS_EMBEDDED"


def worker_name() -> str:
    """Return pytest-xdist's name of this process, ``main`` without it."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


def directory() -> Path:
    """Return the private directory of this test run."""
    return Path(os.environ[DIRECTORY])


def database_name(purpose: str) -> str:
    """Return the name of a database that belongs to this test run."""
    return f"citizenpc_test_{os.environ[RUN]}_{purpose}"


def with_database(url: str, name: str) -> str:
    """Return the address of another database of the same server and role."""
    address, mark, query = url.partition("?")
    return f"{address.rsplit('/', 1)[0]}/{name}{mark}{query}"


def cache_socket() -> Path:
    """Return the socket of this worker's own cache server."""
    return directory() / f"{worker_name()}.sock"


def _begin_run(environ: MutableMapping[str, str]) -> None:
    """Choose directory and servers; done by the first process of a run."""
    place = servers.private_directory()
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    given = "DATABASE_URL" in environ
    addresses = environ if given else servers.embedded_addresses(place)
    environ[RUN] = secrets.token_hex(4)
    environ[DIRECTORY] = str(place)
    environ[IS_EMBEDDED] = "" if given else "1"
    environ[APP_URL] = addresses["DATABASE_URL"]
    environ[OWNER_URL] = addresses.get("DATABASE_OWNER_URL", "")
    environ[GIVEN_REDIS_URL] = environ.get("REDIS_URL", "")
    processes.master_key_file(place)


def _fill_in(environ: MutableMapping[str, str]) -> None:
    """Set what the portal's settings read, for this worker."""
    name = database_name(worker_name())
    blobs = directory() / "blobs" / worker_name()
    blobs.mkdir(parents=True, exist_ok=True)
    environ["DATABASE_URL"] = with_database(environ[APP_URL], name)
    environ["DATABASE_OWNER_URL"] = with_database(environ[OWNER_URL], name)
    environ["REDIS_URL"] = environ[GIVEN_REDIS_URL] or valkey.url(cache_socket())
    environ["CITIZENPC_SECRET_KEY"] = processes.secret_key(directory())
    environ["CITIZENPC_MASTER_KEY_FILE"] = str(processes.master_key_file(directory()))
    environ["CITIZENPC_ORIGIN"] = "http://testserver"
    environ["CITIZENPC_BLOB_DIR"] = str(blobs)
    # Tests in one process need no pool; tests of the pool start real web processes.
    environ["CITIZENPC_PROCESS"] = "test"


if RUN not in os.environ:
    _begin_run(os.environ)
_fill_in(os.environ)
