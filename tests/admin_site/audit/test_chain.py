"""Digests and the file outside the database: no server needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from admin_site.audit import anchor
from admin_site.audit.anchor import Head, note, noted_heads
from admin_site.audit.chain import (
    START,
    Link,
    canonical,
    digest_of_block,
    digest_of_row,
)

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LINK = Link(UUID(int=1), 1, 2, NOON, NOON, START)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
VALUES = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=5,
    ),
    max_size=5,
)


@given(VALUES, VALUES)
def test_rows_have_one_digest_only_if_they_say_the_same(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    backwards = dict(reversed(first.items()))
    assert digest_of_row(first) == digest_of_row(backwards)
    assume(canonical(first) != canonical(second))
    assert digest_of_row(first) != digest_of_row(second)


@given(st.lists(HEX, unique=True, max_size=6), st.data())
def test_no_row_of_a_block_can_go_move_or_come(
    rows: list[str], data: st.DataObject
) -> None:
    sealed = digest_of_block(LINK, rows)
    other = data.draw(st.permutations(rows) | st.lists(st.sampled_from([*rows, "0"])))
    assert (digest_of_block(LINK, other) == sealed) == (other == rows)


def test_every_field_of_a_link_is_covered() -> None:
    changes: dict[str, Any] = {
        "organisation_id": UUID(int=2),
        "number": 2,
        "event_count": 3,
        "latest_at": NOON + timedelta(microseconds=1),
        "sealed_at": NOON + timedelta(microseconds=1),
        "previous_digest": "1" * 64,
    }
    links = [LINK, *(replace(LINK, **{name: changes[name]}) for name in changes)]
    assert len({digest_of_block(link, []) for link in links}) == len(changes) + 1


def test_a_moment_is_the_same_in_every_zone() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=2)))
    assert digest_of_row({"at": NOON}) == digest_of_row({"at": elsewhere})
    with pytest.raises(TypeError):
        digest_of_row({"at": {1, 2}})


def head(number: int, organisation: UUID | None = None) -> Head:
    return Head(
        organisation_id=organisation or UUID(int=7),
        number=number,
        digest=f"{number:064x}",
        sealed_at=NOON.isoformat(),
    )


def test_heads_are_noted_once_and_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "anchor"
    other = uuid4()
    for each in (head(1), head(1), head(2), head(1, other)):
        note(path, each)
    assert len(path.read_text().splitlines()) == 3
    assert path.stat().st_mode & 0o777 == 0o600
    found = noted_heads(path)
    assert found == {
        UUID(int=7): {1: {head(1).digest}, 2: {head(2).digest}},
        other: {1: {head(1).digest}},
    }


def test_another_process_finds_what_was_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "anchor"
    note(path, head(1))
    monkeypatch.setattr(anchor, "_known", {})
    note(path, head(1))
    assert len(path.read_text().splitlines()) == 1


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "anchor"
    note(path, head(1))
    with path.open("ab") as file:
        file.write(b'{"organisation": "00')
    note(path, head(2))
    assert noted_heads(path)[UUID(int=7)].keys() == {1, 2}


def test_what_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "not-yet" / "anchor"
    with pytest.raises(OSError, match="not-yet"):
        note(path, head(1))
    path.parent.mkdir()
    note(path, head(1))
    assert noted_heads(path)[UUID(int=7)].keys() == {1}
