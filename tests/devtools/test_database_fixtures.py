"""The database fixtures of tests/conftest.py keep tests apart in any order."""

import pytest
from django.core.cache import cache
from django.db import connection, transaction

INSERT = "INSERT INTO django_session VALUES ('key', 'data', now())"


def rows() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_session")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db
@pytest.mark.parametrize("turn", [1, 2])
def test_rolled_back(turn: int) -> None:
    assert rows() == 0
    with connection.cursor() as cursor:
        cursor.execute(INSERT)
    assert cache.get("key") is None
    cache.set("key", turn)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_committed(turn: int) -> None:
    assert rows() == 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(INSERT)
    assert rows() == 1
    assert cache.get("key") is None
    cache.set("key", turn)


@pytest.mark.django_db
def test_django_is_the_app_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper OR rolbypassrls FROM pg_roles "
            "WHERE rolname = current_user"
        )
        assert cursor.fetchone() == ("citizenpc_app", False)
