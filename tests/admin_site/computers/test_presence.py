"""Where a computer is, in words."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from admin_site.computers.presence import (
    MISSED_POLLS,
    Whereabouts,
    sighting,
    spoken,
)
from admin_site.computers.states import MANAGED, ComputerStatus

NOW = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
POLL = 300


@pytest.mark.parametrize(
    ("status", "ago", "words"),
    [
        (ComputerStatus.PENDING, None, "Waiting for approval"),
        (ComputerStatus.ACTIVE, 0, "On, seen just now"),
        (ComputerStatus.ACTIVE, 59, "On, seen just now"),
        (ComputerStatus.ACTIVE, 60, "On, seen 1 minute ago"),
        (ComputerStatus.ACTIVE, 750, "On, seen 12 minutes ago"),
        (ComputerStatus.ACTIVE, 751, "Not seen for 12 minutes: check its power"),
        (ComputerStatus.ACTIVE, 1200, "Not seen for 20 minutes: check its power"),
        (ComputerStatus.ACTIVE, 7200, "Not seen for 2 hours: check its power"),
        (ComputerStatus.ACTIVE, 86400, "Not seen for 1 day: check its power"),
        (
            ComputerStatus.APPROVED,
            None,
            "Never seen: check that it is on and connected",
        ),
        (ComputerStatus.REVOKED, 5, "Revoked"),
        (ComputerStatus.RETIRED, None, "Retired"),
    ],
)
def test_words(status: ComputerStatus, ago: int | None, words: str) -> None:
    seen_at = None if ago is None else NOW - timedelta(seconds=ago)
    with translation.override("en"):
        assert sighting(status, seen_at, now=NOW, poll_seconds=POLL).words == words


@given(
    status=st.sampled_from(ComputerStatus),
    ago=st.none() | st.integers(-3600, 10**8),
    poll=st.integers(1, 3600),
)
def test_says_on_exactly_within_the_missed_polls(
    status: ComputerStatus, ago: int | None, poll: int
) -> None:
    seen_at = None if ago is None else NOW - timedelta(seconds=ago)
    found = sighting(status, seen_at, now=NOW, poll_seconds=poll)
    is_on = status in MANAGED and ago is not None and ago <= MISSED_POLLS * poll
    assert (found.whereabouts is Whereabouts.ON) == is_on
    assert found.words
    assert found.seen_at == seen_at
    if found.is_trouble:
        assert status in MANAGED


@given(st.integers(0, 10**8))
def test_a_longer_time_is_never_spoken_as_a_shorter_one(seconds: int) -> None:
    units = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
    with translation.override("en"):
        number, unit = spoken(timedelta(seconds=seconds)).split()
    size = units[unit.removesuffix("s")]
    assert int(number) * size <= seconds < (int(number) + 1) * size


@pytest.mark.parametrize("language", ["da", "sv"])
def test_speaks_the_language_of_the_page(language: str) -> None:
    with translation.override(language):
        found = sighting(
            ComputerStatus.ACTIVE,
            NOW - timedelta(hours=3),
            now=NOW,
            poll_seconds=POLL,
        )
    assert "3 tim" in found.words
