"""What a script says: lines for people at once, the result as its last line."""

import json
import sys
from collections.abc import Mapping
from typing import NoReturn

from client_agent.protocol.types import Json

FAILED = 1
REFUSED = 2


def say(text: str) -> None:
    """Print one line for people; control characters in `text` become spaces."""
    _print_line("".join(sign if sign.isprintable() else " " for sign in text))


def warn(text: str) -> None:
    """Print one line about something that staff should look at."""
    say(f"Warning: {text}")


def result(fields: Mapping[str, Json]) -> None:
    """Print the job's result fields; nothing may be printed after them."""
    _print_line(json.dumps(dict(fields), ensure_ascii=True, allow_nan=False))


def fail(code: str, text: str, *, status: int = FAILED) -> NoReturn:
    """End the script: one line that says why, and `code` as the field ``error``."""
    say(f"Failed: {text}")
    result({"error": code})
    sys.exit(status)


def size_text(size_bytes: int) -> str:
    """`size_bytes` for people, in units of 1024."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _print_line(line: str) -> None:
    # Bytes, because the locale must not decide whether a letter can be printed.
    sys.stdout.buffer.write(line.encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()
