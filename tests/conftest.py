"""What all tests share: markers, real servers, and an honest report at the end."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker

from devtools import databases, postgres, valkey
from devtools import pytest_environment as environment
from devtools.servers import Servers
from devtools.system_packages import browser_path

# What programs say is compared in English, whatever the developer's own language.
os.environ["LANGUAGE"] = "en"

NOT_HERE = "could not run here: "
TEMPLATE = "template"
STACK = pytest.StashKey[contextlib.ExitStack]()

# No deadline: how long an example takes says more about the machine than about us.
settings.register_profile("test", deadline=None, print_blob=True)
settings.register_profile(
    "soak",
    deadline=None,
    print_blob=True,
    max_examples=5000,
    suppress_health_check=[HealthCheck.too_slow],
)


# --- what a machine can run -----------------------------------------------------


def _has_modules(*names: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in names)


NEEDS: dict[str, Callable[[], bool]] = {
    "dbus": lambda: (
        shutil.which("dbus-daemon") is not None
        and _has_modules("gi", "pydbus", "dbus", "dbusmock")
    ),
    "chromium": lambda: (
        browser_path("Chromium") is not None and _has_modules("playwright")
    ),
    "firefox": lambda: browser_path("Firefox") is not None,
    "root": lambda: os.geteuid() == 0,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--tier",
        default="test",
        choices=["test", "soak"],
        help="tests of this tier (soak: the long ones of `make soak`)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(thing): cannot run without dbus, chromium, ..."
    )
    config.addinivalue_line("markers", "tier(name): belongs to `make soak`, not test")
    settings.load_profile(config.getoption("--tier"))
    stack = config.stash[STACK] = contextlib.ExitStack()
    if config.getoption("numprocesses", None):
        # The controller of pytest-xdist runs no test; its workers share this server.
        _start_run(stack)


def pytest_unconfigure(config: pytest.Config) -> None:
    if STACK in config.stash:
        config.stash[STACK].close()


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Keep the tests of the chosen tier; the others are counted as deselected."""
    wanted = config.getoption("--tier")
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        tier = item.get_closest_marker("tier")
        is_wanted = (tier.args[0] if tier else "test") == wanted
        (kept if is_wanted else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test that needs what this machine lacks, so that the end names it."""
    for marker in item.iter_markers("needs"):
        thing = marker.args[0]
        if thing not in NEEDS:
            pytest.fail(f"needs({thing!r}) is not one of {', '.join(NEEDS)}")
        if not NEEDS[thing]():
            pytest.skip(NOT_HERE + thing)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name and count what could not run, and count what is in another tier."""
    missing: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if NOT_HERE in reason:
            thing = reason.rpartition(NOT_HERE)[2]
            missing.setdefault(thing, []).append(report.nodeid)
    terminalreporter.section("what did not run")
    count = sum(map(len, missing.values()))
    terminalreporter.write_line(f"{NOT_HERE}{count}")
    for thing, names in sorted(missing.items()):
        terminalreporter.write_line(f"  for want of {thing}: {len(names)}")
        for name in sorted(names):
            terminalreporter.write_line(f"    {name}")
    others = len(terminalreporter.stats.get("deselected", []))
    terminalreporter.write_line(f"not in this tier, or not chosen: {others}")


# --- servers and databases ------------------------------------------------------


def _start_run(stack: contextlib.ExitStack) -> None:
    """Start what all workers of this run share; `stack` ends it."""
    owner_url = os.environ[environment.OWNER_URL]
    if os.environ[environment.IS_EMBEDDED]:
        place = environment.directory()
        server = postgres.start(place / "postgres", place, is_durable=False)
        stack.callback(server.stop)
        postgres.prepare(place)
    else:
        template = environment.database_name(TEMPLATE)
        stack.callback(databases.drop, owner_url, template)


@pytest.fixture(scope="session")
def owner_url(request: pytest.FixtureRequest) -> str:
    """Address of the running server's maintenance database, as the owner role."""
    if not hasattr(request.config, "workerinput"):
        _start_run(request.config.stash[STACK])
    return os.environ[environment.OWNER_URL]


@pytest.fixture(scope="session")
def template_database(owner_url: str) -> str:
    """Name of the migrated database that all others of this run are copied from."""
    name = environment.database_name(TEMPLATE)
    databases.ensure_template(
        owner_url, name, environment.directory() / "template.lock"
    )
    return name


@pytest.fixture(scope="session")
def cache_server() -> Iterator[str]:
    """URL of this worker's cache server, the one in Django's settings."""
    socket = environment.cache_socket()
    if os.environ[environment.GIVEN_REDIS_URL]:
        yield os.environ["REDIS_URL"]
        return
    child = valkey.start(environment.directory() / "cache" / socket.stem, socket)
    yield valkey.url(socket)
    child.stop()


@pytest.fixture(autouse=True)
def _empty_cache(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave nothing in the cache for the next test, whatever the order."""
    yield
    if "cache_server" in request.fixturenames or "django_db_setup" in (
        request.fixturenames
    ):
        with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
            client.flushdb()


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    owner_url: str,
    template_database: str,
    cache_server: str,
) -> Iterator[None]:
    """Give this worker its copy of the template; Django connects as the app role.

    A test that commits (``django_db(transaction=True)``) gets a new copy after it:
    the app role may not truncate, and rows made by migrations come back.
    """
    name = environment.database_name(environment.worker_name())
    databases.copy(owner_url, template_database, name)

    def renew(case: TransactionTestCase) -> None:
        _close_connections()
        databases.copy(owner_url, template_database, name)

    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        patch.setattr(TransactionTestCase, "_fixture_teardown", renew)
        yield
    _close_connections()
    databases.drop(owner_url, name)


def _close_connections() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close()
        if isinstance(connection, DatabaseWrapper):
            connection.close_pool()


@pytest.fixture(scope="session")
def make_servers(
    owner_url: str, template_database: str
) -> Iterator[Callable[[], Servers]]:
    """Return a maker of servers for real portal processes: `with make_servers() as s`.

    Each has a migrated database and a cache server of its own, so that a test may
    stop either; all are stopped at the end of the session at the latest.
    """
    numbers = itertools.count(1)
    made: list[Servers] = []

    def make() -> Servers:
        label = f"{environment.worker_name()}_{next(numbers)}"
        made.append(_own_servers(owner_url, template_database, label))
        return made[-1]

    yield make
    for servers in reversed(made):
        servers.stop()


def _own_servers(owner_url: str, template: str, label: str) -> Servers:
    name = environment.database_name(label)
    socket = environment.directory() / f"{label}.sock"
    with contextlib.ExitStack() as stack:
        databases.copy(owner_url, template, name)
        stack.callback(databases.drop, owner_url, name)
        cache = valkey.start(environment.directory() / "cache" / label, socket)
        stack.callback(cache.stop)
        return Servers(
            database_url=environment.with_database(
                os.environ[environment.APP_URL], name
            ),
            database_owner_url=environment.with_database(owner_url, name),
            redis_url=valkey.url(socket),
            cache=cache,
            cleanup=stack.pop_all(),
        )
