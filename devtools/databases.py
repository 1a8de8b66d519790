"""Test databases: one migrated template, copied for whoever needs a database."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

import psycopg
from psycopg import sql

from devtools import processes
from devtools.postgres import ROLES_SQL
from devtools.pytest_environment import with_database

_NAME = re.compile(r"[a-z0-9_]{1,63}")


def ensure_template(owner_url: str, name: str, lock_file: Path) -> None:
    """Make the migrated template unless this run has it already.

    `owner_url` is any database of the owner role. Safe to call from several processes
    at once: the first one works, the others wait.

    Raises:
        devtools.processes.CommandFailed: the migrations failed.
    """
    with lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _exists(owner_url, name):
            return
        unfinished = f"{name}_new"
        drop(owner_url, unfinished)
        _execute(owner_url, "CREATE DATABASE {}", unfinished)
        inside = with_database(owner_url, unfinished)
        with psycopg.connect(inside, autocommit=True) as connection:
            connection.execute(ROLES_SQL.read_bytes())
        environment = dict(os.environ) | {"DATABASE_OWNER_URL": inside}
        processes.manage(environment, "migrate", "--verbosity", "0", as_owner=True)
        _execute(owner_url, "ALTER DATABASE {} RENAME TO {}", unfinished, name)


def copy(owner_url: str, template: str, name: str) -> None:
    """Make database `name` from `template`, replacing one of that name."""
    drop(owner_url, name)
    _execute(owner_url, "CREATE DATABASE {} TEMPLATE {}", name, template)


def drop(owner_url: str, name: str) -> None:
    """Remove a database and end the connections to it; none is no error."""
    try:
        _execute(owner_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    except psycopg.errors.InsufficientPrivilege:
        # The server itself is vacuuming it, which only an unforced DROP may end.
        _execute(owner_url, "DROP DATABASE IF EXISTS {}", name)


def _exists(owner_url: str, name: str) -> bool:
    query = "SELECT 1 FROM pg_database WHERE datname = %s"
    with psycopg.connect(owner_url) as connection:
        return connection.execute(query, [name]).fetchone() is not None


def _execute(owner_url: str, statement: str, *names: str) -> None:
    """Run one statement outside a transaction, `names` quoted into its gaps."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a name of a test database: {name}")
    with psycopg.connect(owner_url, autocommit=True) as connection:
        query = sql.SQL(statement).format(*map(sql.Identifier, names))
        connection.execute(query)
