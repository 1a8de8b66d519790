"""How long a full window lasts."""

import pytest

from admin_site.core.windows import Limit, longest, seconds_until_free

LIMIT = Limit("test", 5, 900)


@pytest.mark.parametrize(
    ("now", "wait"),
    [
        (1000.0, 900),
        (1000.1, 900),
        (1001.0, 899),
        (1899.5, 1),
        (1900.0, 1),
        (5000.0, 1),
        (400.0, 900),
    ],
)
def test_the_wait_is_whole_seconds_within_the_window(now: float, wait: int) -> None:
    assert seconds_until_free(LIMIT, leaves_at=1000.0, now=now) == wait


def test_of_several_full_windows_the_longest_counts() -> None:
    assert longest([3, 60, 7]) == 60
    assert longest([]) == 0
