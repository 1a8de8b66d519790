"""Files that are either the old or the new one, never half of either."""

import errno
import os
import stat
import threading
from pathlib import Path

Owner = tuple[int, int]
"""Numbers of user and group."""

_writing = threading.Lock()
"""Two threads that write one path would share the file beside it."""


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace the file at `path`; after a power cut it holds the old or the new bytes.

    The directory must exist. A symbolic link at `path` is replaced, not followed. One
    process at a time may write a given path.

    Raises:
        OSError: nothing was changed (``ENOSPC`` included) unless the last step, the
            directory's fsync, is what failed.
    """
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        replace_at(directory, path.name, data, mode=mode)
    finally:
        os.close(directory)


def read_or_none(path: Path) -> bytes | None:
    """Content of the regular file at `path`; None if there is nothing.

    Raises:
        OSError: it is there and cannot be read; ``ELOOP`` for a symbolic link and
            ``EINVAL`` for anything else that is not a regular file.
    """
    try:
        return read_at(None, str(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_at(directory: int | None, name: str) -> bytes:
    """Content of the regular file `name` in an open directory; errors as above."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(name, flags, dir_fd=directory), "rb") as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
        return source.read()


def replace_at(
    directory: int,
    name: str,
    data: bytes,
    *,
    mode: int,
    owner: Owner | None = None,
) -> None:
    """`write_atomically` in an open directory."""
    beside = name_beside(name)
    with _writing:
        try:
            _write_beside(directory, beside, data, mode, owner)
            os.rename(beside, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            remove_at(directory, beside)
            raise
        os.fsync(directory)


def name_beside(name: str) -> str:
    """The name under which `name` is prepared before it is renamed into place."""
    return f".{name}.new"


def remove_at(directory: int, name: str) -> None:
    """Unlink `name`, which need not exist, without following it."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return


def _write_beside(
    directory: int,
    name: str,
    data: bytes,
    mode: int,
    owner: Owner | None,
) -> None:
    remove_at(directory, name)  # left by a power cut
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    target = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(target, rest) :]
        if owner is not None:
            os.fchown(target, *owner)
        os.fchmod(target, mode)
        os.fsync(target)
    finally:
        os.close(target)
