"""Files that the portal hands out by their digest, kept for the next time."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from client_agent.errors import AgentError
from client_agent.protocol.errors import ErrorCode

CACHE_BYTES = 256 * 1024 * 1024

Fetch = Callable[[str, Callable[[bytes], object]], Awaitable[None]]
"""Passes the blob of a digest to a sink, piece by piece."""


class BlobError(AgentError):
    """The blob cannot be had: ``disk-full``, ``blob-digest-wrong`` ..."""


class Blobs:
    """A directory of executable files named by their SHA-256."""

    def __init__(self, directory: Path, *, most_bytes: int = CACHE_BYTES) -> None:
        self._directory = directory
        self._most_bytes = most_bytes
        for half in directory.glob(".*"):  # of a download that a power cut ended
            half.unlink(missing_ok=True)

    async def get(self, sha256: str, fetch: Fetch) -> Path:
        """Path of the blob, fetched if it is not here, its digest checked each time.

        Raises:
            BlobError: ``disk-full``, ``disk-error``, ``blob-digest-wrong``.
            AgentError: of `fetch`.
        """
        path = self._directory / sha256
        try:
            if not _has_digest(path, sha256):
                await self._fetch(path, sha256, fetch)
            os.utime(path)
        except OSError as error:
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            code = "disk-full" if is_full else "disk-error"
            raise BlobError(code, str(error)[:300]) from error
        return path

    def trim(self, *, keep: Path) -> None:
        """Remove the blobs not used for longest until the rest is within bounds."""
        found = [(p.stat(), p) for p in self._directory.iterdir() if p != keep]
        size = sum(stat.st_size for stat, _ in found)
        for stat, path in sorted(found, key=lambda item: item[0].st_mtime):
            if size <= self._most_bytes:
                return
            path.unlink(missing_ok=True)
            size -= stat.st_size

    async def _fetch(self, path: Path, sha256: str, fetch: Fetch) -> None:
        beside = path.with_name(f".{sha256}.{os.urandom(4).hex()}")
        digest = hashlib.sha256()
        try:
            with beside.open("xb") as target:

                def take(data: bytes) -> None:
                    target.write(data)
                    digest.update(data)

                await fetch(sha256, take)
                target.flush()
                os.fchmod(target.fileno(), 0o700)
                os.fsync(target.fileno())
            if digest.hexdigest() != sha256:
                raise BlobError(ErrorCode.BLOB_DIGEST_WRONG.value, sha256)
            beside.rename(path)
        finally:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
        self.trim(keep=path)


def _has_digest(path: Path, sha256: str) -> bool:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as source:
            while data := source.read(1024 * 1024):
                digest.update(data)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == sha256
