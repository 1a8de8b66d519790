"""Secrets never leave the computer, and output is always text."""

import codecs
import json
from collections.abc import Iterable

_MASK_SIGNS = b"*#-=_.x0"


class Masker:
    """Replaces every occurrence of a secret in a stream of bytes by a mask.

    However the stream is cut into pieces, what comes out together is the same.
    Occurrences that overlap or touch become one mask.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._secrets = sorted({secret for secret in secrets if secret})
        self._mask = _mask_without(b"".join(self._secrets))
        self._held = b""
        self._begin = 0
        """Position in the stream of the first byte held."""
        self._covered = -1
        """Position up to which the last occurrence reaches."""

    def feed(self, data: bytes) -> bytes:
        """What may leave now; bytes that could begin a secret are held back."""
        if not self._secrets:
            return data
        self._held += data
        return self._release(len(self._held) - self._doubtful())

    def flush(self) -> bytes:
        """The rest, at the end of the stream."""
        return self._release(len(self._held))

    def _doubtful(self) -> int:
        """Length of the longest end of what is held that could begin a secret."""
        longest = 0
        for secret in self._secrets:
            end = self._held[-(len(secret) - 1) :] if len(secret) > 1 else b""
            at = end.find(secret[:1])
            while 0 <= at < len(end) - longest:
                if secret.startswith(end[at:]):
                    longest = len(end) - at
                    break
                at = end.find(secret[:1], at + 1)
        return longest

    def _release(self, size: int) -> bytes:
        """Take the first `size` bytes held, in which each occurrence is decided."""
        result = bytearray()
        position = self._begin
        for start, end in self._occurrences(size):
            if start > self._covered:
                result += self._clear(position, start)
                result += self._mask
            self._covered = max(self._covered, end)
            position = max(position, start)
        result += self._clear(position, self._begin + size)
        self._held = self._held[size:]
        self._begin += size
        return bytes(result)

    def _clear(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end` that no occurrence covers."""
        start = max(start, self._covered, self._begin)
        return self._held[start - self._begin : max(start, end) - self._begin]

    def _occurrences(self, size: int) -> list[tuple[int, int]]:
        """Beginnings and ends of secrets that begin in the first `size` bytes."""
        found = []
        for secret in self._secrets:
            at = self._held.find(secret)
            while 0 <= at < size:
                found.append((self._begin + at, self._begin + at + len(secret)))
                at = self._held.find(secret, at + 1)
        return sorted(found)


class Escaper:
    """Turns a stream of any bytes into UTF-8 without NUL, piece by piece."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def feed(self, data: bytes, *, is_last: bool = False) -> bytes:
        r"""Bytes that are no UTF-8, and NUL, become ``\x..``."""
        text = self._decoder.decode(data, is_last)
        return text.replace("\0", "\\x00").encode("utf-8")


class Cleaner:
    """What a script prints, as it may leave: escaped, and without secrets.

    Masked before escaping, so that bytes around a secret cannot disguise it, and again
    afterwards, so that escaping cannot make one up.
    """

    def __init__(self, secrets: Iterable[bytes] = ()) -> None:
        raw = sorted({form for secret in secrets for form in _forms(secret)})
        self._raw = Masker(raw)
        self._escaper = Escaper()
        self._escaped = Masker(_escape(secret) for secret in raw)

    def feed(self, data: bytes) -> bytes:
        return self._escaped.feed(self._escaper.feed(self._raw.feed(data)))

    def flush(self) -> bytes:
        rest = self._escaper.feed(self._raw.flush(), is_last=True)
        return self._escaped.feed(rest) + self._escaped.flush()


def _forms(secret: bytes) -> list[bytes]:
    """A secret as it is and as programs print it: trimmed, or inside JSON."""
    forms = [secret, secret.strip()]
    text = secret.strip().decode("utf-8", "surrogateescape")
    for ascii_only in (True, False):
        quoted = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        forms.append(quoted.encode("utf-8", "surrogateescape"))
    return [form for form in forms if form]


def _escape(data: bytes) -> bytes:
    return Escaper().feed(data, is_last=True)


def _mask_without(secrets: bytes) -> bytes:
    """A mask that cannot, with what stands beside it, spell a secret."""
    for sign in _MASK_SIGNS:
        if sign not in secrets:
            return bytes([sign]) * 6
    return b"[...]"
