"""What is kept of a job's output: its beginning and its end."""

from collections import deque

from client_agent.jobs.masking import Cleaner
from client_agent.protocol import codec, limits
from client_agent.protocol.errors import ProtocolError
from client_agent.protocol.types import Json, Name

_LINE_BYTES = 256 * 1024
"""Most that the line with the result's fields may have."""


class Output:
    """Bytes that a script prints, cleaned, within the limits of what is stored.

    The beginning may be sent while the script runs; what comes after it is known only
    at the end, because of longer output the middle is left out.
    """

    def __init__(
        self,
        cleaner: Cleaner,
        *,
        head_bytes: int = limits.OUTPUT_HEAD_BYTES,
        tail_bytes: int = limits.OUTPUT_TAIL_BYTES,
    ) -> None:
        self._cleaner = cleaner
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._head = bytearray()
        self._is_head_full = False
        self._tail: deque[bytes] = deque()
        self._kept_bytes = 0
        self._cut_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take what the script printed."""
        self._keep(self._cleaner.feed(data))

    @property
    def head(self) -> bytes:
        """What may be sent now; it only ever grows."""
        return bytes(self._head)

    @property
    def head_length(self) -> int:
        return len(self._head)

    def close(self) -> bytes:
        """The whole as it is to be stored, beginning with `head`."""
        self._keep(self._cleaner.flush())
        tail = b"".join(self._tail)
        if not self._cut_bytes:
            return bytes(self._head) + tail
        whole = tail[_first_boundary(tail) :]
        cut_bytes = self._cut_bytes + len(tail) - len(whole)
        mark = f"\n[... {cut_bytes} bytes cut ...]\n".encode("ascii")
        return bytes(self._head) + mark + whole

    def _keep(self, data: bytes) -> None:
        if not self._is_head_full:
            room = self._head_bytes - len(self._head)
            if len(data) <= room:
                self._head += data
                return
            end = last_boundary(data, room)
            self._head += data[:end]
            self._is_head_full = True
            data = data[end:]
        self._keep_in_tail(data)

    def _keep_in_tail(self, data: bytes) -> None:
        if not data:
            return
        self._tail.append(data)
        self._kept_bytes += len(data)
        while self._kept_bytes > self._tail_bytes:
            excess = self._kept_bytes - self._tail_bytes
            oldest = self._tail.popleft()
            cut = min(excess, len(oldest))
            if cut < len(oldest):
                self._tail.appendleft(oldest[cut:])
            self._kept_bytes -= cut
            self._cut_bytes += cut


def last_boundary(data: bytes, most: int) -> int:
    """Largest length up to `most` that does not cut a sign of UTF-8 `data` in two."""
    if most >= len(data):
        return len(data)
    end = max(0, most)
    while end > 0 and data[end] & 0xC0 == 0x80:
        end -= 1
    return end


def fields_of(stored: bytes) -> dict[str, Json]:
    """The object that the script printed as its last line, or nothing."""
    line = stored.rstrip()[-_LINE_BYTES:].rpartition(b"\n")[2].strip()
    if not line.startswith(b"{"):
        return {}
    try:
        return codec.decode(dict[Name, Json], line, limit=_LINE_BYTES)
    except ProtocolError:  # it only looked like one
        return {}


def _first_boundary(data: bytes) -> int:
    start = 0
    while start < len(data) and data[start] & 0xC0 == 0x80:
        start += 1
    return start
