"""No secret leaves, however output is cut into pieces; what leaves is text."""

from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from client_agent.jobs.masking import Cleaner, Escaper, Masker

_letters = st.binary(max_size=40).map(lambda raw: bytes(97 + b % 3 for b in raw))
_secrets = st.lists(_letters.filter(bool), min_size=1, max_size=4)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def cleaned(cleaner: Masker | Cleaner, parts: list[bytes]) -> bytes:
    return b"".join(cleaner.feed(part) for part in parts) + cleaner.flush()


_cuts = st.lists(st.integers(0, 400), max_size=12)


@given(st.lists(_letters, max_size=10).map(b"".join), _secrets, _cuts)
def test_no_secret_leaves_whatever_the_chunking(
    text: bytes, secrets: list[bytes], cuts: list[int]
) -> None:
    """Three letters make secrets overlap, repeat and lie across every border."""
    out = cleaned(Masker(secrets), pieces(text, cuts))
    assert not any(secret in out for secret in secrets)
    assert out == cleaned(Masker(secrets), [text])


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=30), _cuts)
def test_secret_between_anything_is_masked(
    around: bytes, secret: bytes, cuts: list[int]
) -> None:
    text = around + secret + around
    out = cleaned(Cleaner([secret]), pieces(text, cuts))
    assert out == cleaned(Cleaner([secret]), [text])
    assert secret not in out
    assert Escaper().feed(secret, is_last=True) not in out
    out.decode("utf-8")
    assert b"\0" not in out


@given(st.text(min_size=4).filter(lambda text: text.strip() == text), _cuts)
def test_secret_inside_json_is_masked(secret: str, cuts: list[int]) -> None:
    import json

    assume("\0" not in secret)
    for ascii_only in (True, False):
        line = json.dumps({"value": secret}, ensure_ascii=ascii_only)
        quoted = json.dumps(secret, ensure_ascii=ascii_only)[1:-1].encode()
        raw = secret.encode("utf-8")
        out = cleaned(Cleaner([raw]), pieces(line.encode(), cuts))
        assert quoted not in out


@given(st.binary(max_size=300), _cuts)
def test_output_without_secrets_is_only_escaped(data: bytes, cuts: list[int]) -> None:
    out = cleaned(Cleaner(), pieces(data, cuts))
    expected = data.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    assert out == expected.encode()


@given(
    st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
)
def test_good_text_passes_as_it_is(text: str) -> None:
    assert cleaned(Cleaner(), [text.encode()]) == text.encode()


def test_trimmed_secret_is_masked_as_well() -> None:
    assert b"hunter2" not in cleaned(Cleaner([b"hunter2\n"]), [b"it is hunter2!"])


def test_first_line_is_not_held_back() -> None:
    """Only bytes that may begin a secret wait for what follows."""
    assert Cleaner([b"hunter2"]).feed(b"hello\n") == b"hello\n"
    assert Cleaner([b"hunter2"]).feed(b"hello hun") == b"hello "


def test_long_secret_is_masked_across_many_pieces() -> None:
    secret = b"".join(b"%d-" % number for number in range(3000))[:16384]
    masker = Masker([secret])
    text = (b"x" * 5000 + secret) * 20
    out = b"".join(
        masker.feed(part) for part in pieces(text, [*range(0, 400_000, 999)])
    )
    assert (out + masker.flush()).replace(b"x", b"") == b"*" * 6 * 20
