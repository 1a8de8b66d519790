"""Output as people see it: whatever a script prints, only text arrives."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin_site.jobs.output_text import shown_text

PIECES = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.text(max_size=4).map(str.encode),
        st.sampled_from(
            [b"\r", b"\n", b"\r\n", b"\xe2\x82", b"\xac", b"\xf0\x9f", b"\x98\x80"]
        ),
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"hello\n", "hello\n"),
        ("blåbær €\n".encode(), "blåbær €\n"),
        (b"a\r\nb\rc\r", "a\nb\nc\n"),
        (b"\x1b[31mred\x07\x00", "\\x1b[31mred\\x07\\x00"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"cut \xe2\x82", "cut \\xe2\\x82"),
        ("turned \u202eround".encode(), "turned \\u202eround"),
        (b"<script>", "<script>"),
    ],
)
def test_whole_output(data: bytes, text: str) -> None:
    assert shown_text(data, is_end=True) == (text, len(data))


def test_waits_for_the_rest_of_a_character() -> None:
    euro = "€".encode()
    assert shown_text(b"1 " + euro[:2], is_end=False) == ("1 ", 2)
    assert shown_text(euro, is_end=False) == ("€", 3)
    assert shown_text(b"line\r", is_end=False) == ("line", 4)


@given(PIECES)
def test_pieces_give_the_text_of_the_whole(pieces: list[bytes]) -> None:
    stored, shown, offset = b"", "", 0
    for piece in pieces:
        stored += piece
        text, used = shown_text(stored[offset:], is_end=False)
        shown, offset = shown + text, offset + used
        assert len(stored) - offset <= 3
    text, used = shown_text(stored[offset:], is_end=True)
    assert offset + used == len(stored)
    assert shown + text == shown_text(stored, is_end=True)[0]


@given(st.binary(max_size=200))
def test_nothing_invisible_is_left(data: bytes) -> None:
    text, _used = shown_text(data, is_end=True)
    for sign in text:
        assert sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs")
