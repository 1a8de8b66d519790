"""What is kept of output: beginning and end, cut between signs, with a mark."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from client_agent.jobs.masking import Cleaner
from client_agent.jobs.output import Output, fields_of, last_boundary
from client_agent.protocol import limits

MARK = re.compile(rb"\n\[\.\.\. (\d+) bytes cut \.\.\.\]\n")


@given(
    st.lists(st.text(alphabet="aå€😀\n", max_size=30).map(str.encode), max_size=20),
    st.integers(4, 60),
    st.integers(4, 60),
)
def test_head_and_tail_are_kept_and_the_cut_is_counted(
    parts: list[bytes], head: int, tail: int
) -> None:
    output, whole = Output(Cleaner(), head_bytes=head, tail_bytes=tail), b"".join(parts)
    heads = []
    for part in parts:
        output.feed(part)
        heads.append(output.head)
    stored = output.close()
    assert all(later.startswith(h) for h, later in pairwise(heads))
    assert stored.startswith(output.head)
    assert len(output.head) <= head
    mark = MARK.search(stored)
    if mark is None:
        assert stored == whole
        return
    before, after = stored[: mark.start()], stored[mark.end() :]
    assert whole.startswith(before)
    assert whole.endswith(after)
    assert len(before) + int(mark[1]) + len(after) == len(whole)
    assert len(after) <= tail
    before.decode()
    after.decode()


def test_fifty_megabytes_fit_the_portal() -> None:
    output = Output(Cleaner([b"secret"]))
    line = b"0123456789" * 100 + b"secret\n"
    for _ in range(50 * 1024):
        output.feed(line)
    stored = output.close()
    assert len(stored) <= limits.OUTPUT_STORED_BYTES
    assert len(stored) > limits.OUTPUT_HEAD_BYTES + limits.OUTPUT_TAIL_BYTES - 8
    assert MARK.search(stored)
    assert b"secret" not in stored


def test_exactly_full_is_not_cut() -> None:
    output = Output(Cleaner(), head_bytes=4, tail_bytes=4)
    output.feed(b"abcdefgh")
    assert output.close() == b"abcdefgh"


@given(st.text(alphabet="aå€😀").map(str.encode), st.integers(0, 100))
def test_boundary_never_cuts_a_sign(data: bytes, most: int) -> None:
    end = last_boundary(data, most)
    assert end <= most
    assert end > most - 4 or end == len(data)
    data[:end].decode()


def test_fields_are_the_object_of_the_last_line() -> None:
    assert fields_of(b'a\n{"b": [1]}\n\n') == {"b": [1]}
    assert fields_of(b'{"b": 1}\nmore') == {}
    assert fields_of(b"[1]\n") == {}
    assert fields_of(b'{"": 1}\n') == {}
    assert fields_of(b"") == {}


@given(st.binary(max_size=200))
def test_fields_of_anything_is_no_error(data: bytes) -> None:
    fields_of(b"x\n{" + data)


def test_deep_json_is_no_error() -> None:
    assert fields_of(b'{"a":' + b"[" * 100_000) == {}
