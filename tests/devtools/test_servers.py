"""The embedded servers: real programs on real sockets, and what can be in their way."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from devtools import children, postgres, servers, valkey
from devtools.source_tree import ROOT

SYSTEM_AND_WHEEL = {binaries.folder: binaries for binaries in postgres.binaries()}


@pytest.fixture
def sockets() -> Iterator[Path]:
    place = servers.private_directory()
    yield place
    shutil.rmtree(place)


@pytest.mark.parametrize(
    "binaries", SYSTEM_AND_WHEEL.values(), ids=lambda found: str(found.version)
)
def test_every_postgres_found_gives_the_two_roles(
    binaries: postgres.Binaries, tmp_path: Path, sockets: Path
) -> None:
    server = postgres.start(
        tmp_path / "data", sockets, is_durable=False, candidates=[binaries]
    )
    try:
        postgres.prepare(sockets)
        postgres.prepare(sockets)
        addresses = servers.embedded_addresses(sockets)
        with psycopg.connect(addresses["DATABASE_OWNER_URL"]) as owner:
            owner.execute("CREATE TABLE thing (id serial PRIMARY KEY)")
            owner.execute("CREATE EXTENSION btree_gist")
            owner.execute("CREATE EXTENSION pg_trgm")
        with psycopg.connect(addresses["DATABASE_URL"]) as app:
            app.execute("INSERT INTO thing DEFAULT VALUES")
            assert app.execute("SELECT lower('ÅØ')").fetchone() == ("åø",)
            assert app.execute(
                "SELECT rolsuper OR rolbypassrls OR rolcreatedb FROM pg_roles "
                "WHERE rolname = current_user"
            ).fetchone() == (False,)
        for forbidden in (
            "CREATE TABLE other ()",
            "TRUNCATE thing",
            "DROP TABLE thing",
        ):
            with (
                psycopg.connect(addresses["DATABASE_URL"]) as app,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                app.execute(forbidden)
    finally:
        server.stop()


@pytest.mark.parametrize("program", list(valkey.programs()), ids=str)
def test_every_cache_server_found_answers(
    program: Path, tmp_path: Path, sockets: Path
) -> None:
    socket = sockets / "cache.sock"
    server = valkey.start(tmp_path, socket, program=program)
    with redis.Redis.from_url(valkey.url(socket)) as client:
        assert client.set("key", "value")
    assert server.stop() == 0


def test_data_outlives_the_servers(tmp_path: Path) -> None:
    with servers.start(tmp_path, durable=True, environ={}) as running:
        with psycopg.connect(running.database_owner_url) as owner:
            owner.execute("CREATE TABLE kept AS SELECT 7 AS number")
        with redis.Redis.from_url(running.redis_url) as client:
            assert client.ping()
    with (
        servers.start(tmp_path, durable=True, environ={}) as running,
        psycopg.connect(running.database_url) as app,
    ):
        assert app.execute("SELECT number FROM kept").fetchone() == (7,)


def test_nothing_is_left_after_stop(tmp_path: Path) -> None:
    running = servers.start(tmp_path, durable=False, environ={})
    assert running.database
    assert running.cache
    pids = [running.database.pid, running.cache.pid]
    running.stop()
    running.stop()
    assert [children.command_line(pid) for pid in pids] == ["", ""]


def test_what_a_killed_run_left_is_ended(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal\n"
        "from devtools import servers\n"
        f"running = servers.start(pathlib.Path({str(tmp_path)!r}), durable=False,"
        " environ={})\n"
        "print(running.database.pid, running.cache.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = [int(pid) for pid in done.stdout.split()]
    assert all(children.command_line(pid) for pid in left)
    with servers.start(tmp_path, durable=False, environ={}) as running:
        assert [children.command_line(pid) for pid in left] == ["", ""]
        with psycopg.connect(running.database_url) as app:
            assert app.execute("SELECT 1").fetchone() == (1,)


def test_lock_file_of_a_dead_server_is_no_obstacle(
    tmp_path: Path, sockets: Path
) -> None:
    server = postgres.start(tmp_path / "data", sockets, is_durable=False)
    server.kill()
    lock_file = tmp_path / "data" / "postmaster.pid"
    lines = lock_file.read_text().split("\n")
    # The number belongs to another process by now: this one.
    lock_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    again = postgres.start(tmp_path / "data", sockets, is_durable=False)
    assert again.stop() == 0


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        servers.start(tmp_path, durable=False, environ={}),
        pytest.raises(servers.ServersError, match="Another process is using"),
    ):
        servers.start(tmp_path, durable=False, environ={})


def test_given_addresses_are_used_and_nothing_is_started(tmp_path: Path) -> None:
    given = {
        "DATABASE_URL": "postgresql://citizenpc_app@db/citizenpc",
        "DATABASE_OWNER_URL": "postgresql://citizenpc_owner@db/citizenpc",
        "REDIS_URL": "redis://cache/0",
    }
    with servers.start(tmp_path / "unused", durable=False, environ=given) as running:
        assert running.database_url == given["DATABASE_URL"]
        assert running.database_owner_url == given["DATABASE_OWNER_URL"]
        assert running.redis_url == given["REDIS_URL"]
        assert (running.database, running.cache) == (None, None)
    assert not (tmp_path / "unused").exists()


def test_only_one_database_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(servers.ServersError, match="DATABASE_OWNER_URL"):
        servers.start(
            tmp_path, durable=False, environ={"DATABASE_URL": "postgresql://db/x"}
        )


def test_data_of_a_version_that_is_not_installed(tmp_path: Path, sockets: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("9\n")
    with pytest.raises(postgres.PostgresError, match="written by PostgreSQL 9"):
        postgres.start(tmp_path, sockets, is_durable=False)


def test_taken_socket(tmp_path: Path, sockets: Path) -> None:
    server = postgres.start(tmp_path / "first", sockets, is_durable=False)
    try:
        with pytest.raises(postgres.PostgresError, match="another server is running"):
            postgres.start(tmp_path / "second", sockets, is_durable=False)
    finally:
        server.stop()


def test_missing_library_is_named(tmp_path: Path) -> None:
    program = tmp_path / "postgres"
    program.write_text(
        "#!/bin/sh\n"
        "echo 'error while loading shared libraries: libx.so.1' >&2\n"
        "exit 127\n"
    )
    program.chmod(0o755)
    with pytest.raises(postgres.PostgresError, match=r"libx\.so\.1.*ldd"):
        postgres.version_of(tmp_path)


def test_long_socket_path_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with pytest.raises(servers.ServersError, match="too long"):
        servers.start(tmp_path / "data", durable=False, sockets=deep, environ={})
