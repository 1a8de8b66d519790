"""Files below one root directory, reached without following any symbolic link.

A directory on the way that citizens may write could hold a link to anywhere; here such
a link is an error. Paths are relative to the root and POSIX.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import msgspec

from client_agent.host import files
from client_agent.host.errors import HostError

TreePath = str | PurePosixPath

CONTENT_BYTES = 64 * 1024 * 1024
"""Larger files are neither read nor kept as originals."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Absent(msgspec.Struct, frozen=True, tag="absent"):
    """Nothing is there."""


class Link(msgspec.Struct, frozen=True, tag="link"):
    """A symbolic link; `target` as stored in it."""

    target: bytes


class RegularFile(msgspec.Struct, frozen=True, tag="file"):
    """A regular file by its content's SHA-256, permission bits, user and group."""

    sha256: str
    mode: int
    uid: int
    gid: int


Entry = Absent | Link | RegularFile


def relative(path: TreePath) -> PurePosixPath:
    """Return `path` as one that stays below a root.

    Raises:
        HostError: ``path-invalid`` for an absolute or empty one or one with ``..``.
    """
    parsed = PurePosixPath(path)
    if parsed.is_absolute() or not parsed.parts or ".." in parsed.parts:
        raise HostError("path-invalid", str(path))
    return parsed


class Tree:
    """The files below `root`; the way to `root` itself is trusted.

    Every method raises HostError: ``path-invalid``, ``path-blocked`` when a link or a
    file stands where a directory should be, ``path-occupied`` when a directory or
    device stands where a file should be; and OSError as the system gives it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def look(self, path: TreePath) -> tuple[Entry, bytes]:
        """What is at `path`, with the content if it is a regular file.

        Raises:
            HostError: also ``file-too-large`` above CONTENT_BYTES.
        """
        path = relative(path)
        try:
            with self.opened(path.parent) as directory:
                return _look_at(directory, path)
        except FileNotFoundError:
            return Absent(), b""

    def write(
        self,
        path: TreePath,
        data: bytes,
        *,
        mode: int = 0o644,
        owner: files.Owner | None = None,
    ) -> None:
        """Replace the file at `path` atomically; its directory must exist."""
        path = relative(path)
        with self.opened(path.parent) as directory:
            files.replace_at(directory, path.name, data, mode=mode, owner=owner)

    def link(self, path: TreePath, target: bytes) -> None:
        """Replace what is at `path` atomically by a symbolic link to `target`."""
        path = relative(path)
        beside = _beside(path)
        with self.opened(path.parent) as directory:
            files.remove_at(directory, beside)
            os.symlink(target, os.fsencode(beside), dir_fd=directory)
            os.rename(beside, path.name, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)

    def remove(self, path: TreePath) -> None:
        """Unlink the file or link at `path`, which need not exist."""
        path = relative(path)
        try:
            with self.opened(path.parent) as directory:
                files.remove_at(directory, path.name)
                os.fsync(directory)
        except FileNotFoundError:
            return

    def discard_beside(self, path: TreePath) -> None:
        """Unlink what a power cut left beside `path` while it was being written."""
        path = relative(path)
        self.remove(path.with_name(_beside(path)))

    def names(self, path: TreePath) -> list[str]:
        """Sorted names in the directory `path`; none if it does not exist."""
        try:
            with self.opened(relative(path)) as directory:
                return sorted(os.listdir(directory))
        except FileNotFoundError:
            return []

    def missing_directories(self, path: PurePosixPath) -> list[str]:
        """Directories on the way to and including `path` that do not exist."""
        parts = path.parts
        for length in range(1, len(parts) + 1):
            try:
                with self.opened(PurePosixPath(*parts[:length])):
                    pass
            except FileNotFoundError:
                return ["/".join(parts[:n]) for n in range(length, len(parts) + 1)]
        return []

    def make_directory(self, path: TreePath, *, mode: int = 0o755) -> None:
        """Make the directory `path` with exactly `mode`; the one above must exist."""
        path = relative(path)
        beside = _beside(path)
        with self.opened(path.parent) as above:
            _remove_directory_at(above, beside)
            os.mkdir(beside, 0o700, dir_fd=above)
            made = os.open(beside, _DIRECTORY, dir_fd=above)
            try:
                os.fchmod(made, mode)
                os.fsync(made)
            finally:
                os.close(made)
            os.rename(beside, path.name, src_dir_fd=above, dst_dir_fd=above)
            os.fsync(above)

    def remove_empty_directory(self, path: TreePath) -> bool:
        """Remove the directory `path`; False if it must stay since something is in it.

        A file or link of that name is left alone.
        """
        path = relative(path)
        try:
            with self.opened(path.parent) as above:
                _remove_directory_at(above, _beside(path))
                is_gone = _remove_directory_at(above, path.name)
                os.fsync(above)
        except FileNotFoundError:
            return True
        return is_gone

    @contextmanager
    def opened(self, directory: PurePosixPath) -> Iterator[int]:
        """A descriptor of `directory` for use with ``dir_fd``."""
        here = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in directory.parts:
                below = _enter(here, part, directory)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)


def _beside(path: PurePosixPath) -> str:
    return files.name_beside(path.name)


def _enter(above: int, name: str, path: PurePosixPath) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=above)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise HostError("path-blocked", f"/{path} at {name}") from error
        raise


def _remove_directory_at(above: int, name: str) -> bool:
    try:
        os.rmdir(name, dir_fd=above)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
            return False
        raise
    return True


def _look_at(directory: int, path: PurePosixPath) -> tuple[Entry, bytes]:
    try:
        found = os.stat(path.name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return Absent(), b""
    if stat.S_ISLNK(found.st_mode):
        target = os.readlink(os.fsencode(path.name), dir_fd=directory)
        return Link(target), b""
    if not stat.S_ISREG(found.st_mode):
        raise HostError("path-occupied", f"/{path}")
    if found.st_size > CONTENT_BYTES:
        raise HostError("file-too-large", f"/{path}")
    content = files.read_at(directory, path.name)
    return (
        RegularFile(
            sha256=hashlib.sha256(content).hexdigest(),
            mode=stat.S_IMODE(found.st_mode),
            uid=found.st_uid,
            gid=found.st_gid,
        ),
        content,
    )
