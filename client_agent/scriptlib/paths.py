"""Where a script reads and writes."""

import os
from pathlib import Path


def root() -> Path:
    """What stands for ``/``: the sandbox (``CITIZENPC_ROOT``), or ``/`` itself.

    Everything that a script changes lies below it.
    """
    return Path(os.environ.get("CITIZENPC_ROOT") or "/")


def machine() -> Path:
    """Where facts about the computer are read: ``/``, or a fake one.

    A sandbox that has a ``proc`` of its own is a whole fake computer. Another
    sandbox shows the real computer's facts.
    """
    return root() if (root() / "proc").is_dir() else Path("/")


def read_text(path: Path) -> str:
    """The text of a small file without surrounding space, empty when unreadable."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
