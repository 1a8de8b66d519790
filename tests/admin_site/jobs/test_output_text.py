"""A job's output as text: everything shown, nothing obeyed, wherever it is cut."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin_site.jobs.output_text import shown_text

pieces = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [b"\r", b"\n", b"\r\n", b"\x1b[2J", "æøå€😀".encode(), b"\xe2\x82", b"\x00"]
    ),
)
outputs = st.lists(pieces, max_size=6).map(b"".join)


def _in_pieces(data: bytes, cuts: list[int]) -> str:
    """What a page shows that fetches the output bit by bit."""
    shown, offset = "", 0
    for cut in [*sorted(cuts), len(data)]:
        text, used = shown_text(data[offset:cut], is_end=False)
        shown += text
        offset += used
    text, used = shown_text(data[offset:], is_end=True)
    assert offset + used == len(data)
    return shown + text


@given(outputs, st.lists(st.integers(0, 40), max_size=5))
def test_pieces_give_the_text_of_the_whole(data: bytes, cuts: list[int]) -> None:
    whole, used = shown_text(data, is_end=True)
    assert used == len(data)
    assert _in_pieces(data, [min(cut, len(data)) for cut in cuts]) == whole


@given(outputs)
def test_nothing_that_is_shown_moves_a_cursor_or_turns_text_around(
    data: bytes,
) -> None:
    text, _used = shown_text(data, is_end=True)
    for character in text:
        assert character in "\n\t" or unicodedata.category(character) != "Cc"
        assert character not in "\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"
        assert unicodedata.category(character) != "Cs"


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=40))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert shown_text(text.encode(), is_end=True)[0] == text


@given(outputs)
def test_at_most_the_beginning_of_a_character_is_left_for_later(data: bytes) -> None:
    _text, used = shown_text(data, is_end=False)
    assert len(data) - 3 <= used <= len(data)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", ""),
        (b"one\r\ntwo\rthree\n", "one\ntwo\nthree\n"),
        (b"\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        (b"a\x00b", r"a\x00b"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("a\u202eb".encode(), r"a\u202eb"),
        ("\x85".encode(), r"\x85"),
        (b"tab\there", "tab\there"),
    ],
)
def test_signs_that_act_are_shown_as_escapes(data: bytes, shown: str) -> None:
    assert shown_text(data, is_end=True) == (shown, len(data))
