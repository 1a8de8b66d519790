"""Files by their SHA-256, immutable, in one directory that all processes share."""

import hashlib
import os
import tempfile
from pathlib import Path

from django.conf import settings

from client_agent.protocol import limits


def path_of_blob(sha256: str) -> Path:
    """Where the blob of that digest (64 hexadecimal digits) is or would be."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError("not a SHA-256 in hexadecimal")
    return Path(settings.BLOB_DIR) / sha256[:2] / sha256[2:]


def store_blob(data: bytes) -> str:
    """Keep `data` and return its SHA-256; the second time changes nothing.

    Raises:
        ValueError: no computer would fetch one that large.
    """
    if len(data) > limits.BLOB_BYTES:
        raise ValueError(f"more than {limits.BLOB_BYTES} bytes")
    sha256 = hashlib.sha256(data).hexdigest()
    path = path_of_blob(sha256)
    if path.exists():
        return sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return sha256
