"""Every pair of states of a computer and of an enrolment."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest

from admin_site.computers.states import (
    COMPUTER_TRANSITIONS,
    ENROLMENT_TRANSITIONS,
    MANAGED,
    ComputerStatus,
    EnrolmentState,
)
from admin_site.core.errors import TransitionRefused
from admin_site.core.state_table import checked_transition

# Written out a second time on purpose: a change is one of the design.
COMPUTER: Mapping[str, str] = {
    "pending": "approved revoked retired",
    "approved": "active suspended out_of_service revoked retired",
    "active": "suspended out_of_service revoked retired",
    "suspended": "active revoked retired",
    "out_of_service": "active revoked retired",
    "revoked": "",
    "retired": "",
}
ENROLMENT: Mapping[str, str] = {
    "pending": "approved refused expired",
    "approved": "",
    "refused": "",
    "expired": "",
}


@pytest.mark.parametrize(
    ("table", "states", "expected"),
    [
        (COMPUTER_TRANSITIONS, ComputerStatus, COMPUTER),
        (ENROLMENT_TRANSITIONS, EnrolmentState, ENROLMENT),
    ],
    ids=["computer", "enrolment"],
)
def test_every_pair_of_states(table: Any, states: Any, expected: Any) -> None:
    assert set(table) == set(states)
    for current, to in product(states, states):
        if to.value in expected[current.value].split():
            assert checked_transition(table, current=current, to=to) is to
        else:
            with pytest.raises(TransitionRefused):
                checked_transition(table, current=current, to=to)


def test_nobody_returns_from_an_end() -> None:
    for end in (ComputerStatus.REVOKED, ComputerStatus.RETIRED):
        assert COMPUTER_TRANSITIONS[end] == frozenset()
        assert end not in MANAGED
    assert ComputerStatus.PENDING not in MANAGED
    assert len(MANAGED) == len(ComputerStatus) - 3
