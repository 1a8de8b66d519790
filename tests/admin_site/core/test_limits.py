"""Counting in Valkey: as many as the limit says, in any window, for each subject."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings
from redis.exceptions import RedisError

from admin_site.core import clock, limits
from admin_site.core.limits import LimitReached, Window
from admin_site.core.windows import Limit

pytestmark = pytest.mark.usefixtures("cache_server")

START = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
THREE = Window(Limit("test", 3, 60), "192.0.2.1")
OTHER = Window(Limit("test", 3, 60), "192.0.2.2")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = START

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr(clock, "now", lambda: moved.moment)
    return moved


def wait_of(*windows: Window) -> int:
    """Seconds that a refusal names."""
    with pytest.raises(LimitReached) as caught:
        limits.take(*windows)
    return caught.value.seconds


def test_as_many_as_the_limit_says_and_each_subject_for_itself(time: Clock) -> None:
    for _each in range(3):
        limits.take(THREE)
    assert wait_of(THREE) == 60
    limits.take(OTHER)


def test_the_window_slides(time: Clock) -> None:
    for _each in range(3):
        limits.take(THREE)
        time.move(10)
    assert wait_of(THREE) == 30
    time.move(30)
    limits.take(THREE)
    assert wait_of(THREE) == 10


def test_being_refused_does_not_prolong_the_wait(time: Clock) -> None:
    for _each in range(3):
        limits.take(THREE)
    time.move(59)
    assert wait_of(THREE) == 1
    time.move(1)
    limits.take(THREE)


def test_one_full_window_counts_in_none(time: Clock) -> None:
    one = Window(Limit("one", 1, 600), "a")
    limits.take(one, THREE)
    for _each in range(5):
        assert wait_of(one, THREE) == 600
    limits.take(THREE)
    limits.take(THREE)
    assert wait_of(THREE) == 60


def test_looking_counts_nothing(time: Clock) -> None:
    for _each in range(5):
        limits.check(THREE)
    for _each in range(3):
        limits.take(THREE)
    with pytest.raises(LimitReached):
        limits.check(THREE)


def test_what_is_given_back_or_reset_is_free_again(time: Clock) -> None:
    tries = [limits.take(THREE) for _each in range(3)]
    tries[1].give_back()
    limits.take(THREE)
    wait_of(THREE)
    limits.reset(THREE)
    limits.take(THREE)


def test_a_limit_that_was_lowered_holds_at_once(time: Clock) -> None:
    for _each in range(3):
        limits.take(THREE)
        time.move(10)
    lower = Window(Limit("test", 1, 60), THREE.subject)
    assert wait_of(lower) == 50


def test_tries_at_the_same_time_do_not_pass_together(cache_server: str) -> None:
    def is_let_through(_number: int) -> bool:
        try:
            limits.take(THREE)
        except LimitReached:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        passed = list(pool.map(is_let_through, range(40)))
    assert sum(passed) == 3


def test_nothing_names_who_was_counted_and_all_is_forgotten() -> None:
    limits.take(THREE, Window(Limit("account", 3, 60), "alice@example.org"))
    names = list(limits.client().scan_iter("*"))
    assert len(names) == 2
    for name in names:
        assert b"192.0.2.1" not in name
        assert b"alice" not in name
        assert 0 < limits.client().pttl(name) <= 60_000


def test_without_valkey_nothing_is_let_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = redis.Redis(unix_socket_path=str(tmp_path / "gone.sock"))
    monkeypatch.setattr(limits, "client", lambda: gone)
    for ask in (limits.take, limits.check, limits.reset):
        with pytest.raises(RedisError):
            ask(THREE)


def test_the_numbers_that_the_portal_comes_with() -> None:
    assert Limit("enrolment", 10, 60) == settings.ENROLMENT_LIMIT
    assert Limit("wrong-token", 5, 3600) == settings.WRONG_TOKEN_LIMIT
    assert Limit("enrolment-wait", 90, 60) == settings.ENROLMENT_WAIT_LIMIT
    assert Limit("account-failure", 5, 900) == settings.ACCOUNT_FAILURE_LIMIT
    assert Limit("address-failure", 20, 900) == settings.ADDRESS_FAILURE_LIMIT
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == 1024 * 1024
    assert settings.TRUSTED_PROXIES == ()
