"""A job's output as text for people. Pure.

Scripts may print anything. What is not UTF-8 and what would move a cursor or change
colours is shown as an escape (``\\x1b``), never sent on.
"""

import codecs
import re

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_LONGEST_SEQUENCE = 4


def shown_text(data: bytes, *, is_end: bool) -> tuple[str, int]:
    """Text of `data`, and how many of its bytes it stands for.

    Unless `is_end`, a beginning character or carriage return at the end is left for
    the next piece, so that pieces read one after another give the text of the whole.
    Line ends become line feeds.
    """
    used = len(data) if is_end else _complete_length(data)
    text = data[:used].decode("utf-8", errors="backslashreplace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _INVISIBLE.sub(_escaped, text), used


def _complete_length(data: bytes) -> int:
    """Length of `data` without what may belong to the bytes that follow."""
    if data.endswith(b"\r"):
        return len(data) - 1
    for length in range(1, min(_LONGEST_SEQUENCE, len(data) + 1)):
        tail = data[-length:]
        if tail[0] >= 0xC0:
            return len(data) - length if _is_beginning(tail) else len(data)
        if tail[0] < 0x80:
            break
    return len(data)


def _is_beginning(tail: bytes) -> bool:
    """Whether more bytes could make `tail` one character."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        return not decoder.decode(tail) and bool(decoder.getstate()[0])
    except UnicodeDecodeError:
        return False


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
