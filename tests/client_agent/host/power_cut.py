"""A disk that loses power at a chosen step, and with it what was not synchronised.

`UnreliableOs` stands in for the module ``os`` in the code under test. Real files are
used; a synchronisation is only noted. After the cut nothing works any more, so clean-up
code does not help either. `lose` then undoes, last first, each change whose file or
directory had not been synchronised since: the worst that a file system may do.
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from client_agent.host import files, originals, tree

CODE = (files, originals, tree)


class PowerCut(BaseException):
    """Not an Exception: nobody handles it."""


@dataclass(frozen=True)
class Unsynchronised:
    inode: int
    undo: Callable[[], None]


class UnreliableOs:
    """``os`` until step `cut_at` of those that change the disk; never with None."""

    def __init__(self, graveyard: Path, cut_at: int | None = None) -> None:
        self.steps = 0
        self._cut_at = cut_at
        self._graveyard = graveyard
        self._pending: list[Unsynchronised] = []
        self._descriptors: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def lose(self) -> None:
        """Undo what had not reached the disk."""
        for change in reversed(self._pending):
            change.undo()

    def release(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)

    # --- changes of a file ---

    def write(self, target: int, data: Any) -> int:
        self._step()
        kept = self._kept(target)
        self._note(target, lambda: os.ftruncate(kept, 0))
        return os.write(target, bytes(data)[:99])  # writes may be short

    def fchmod(self, target: int, mode: int) -> None:
        self._step()
        before, kept = stat.S_IMODE(os.fstat(target).st_mode), self._kept(target)
        os.fchmod(target, mode)
        self._note(target, lambda: os.fchmod(kept, before))

    def fchown(self, target: int, uid: int, gid: int) -> None:
        self._step()
        os.fchown(target, uid, gid)

    # --- changes of a directory ---

    def open(self, path: Any, flags: int, mode: int = 0o777, **where: Any) -> int:
        if not flags & os.O_CREAT:
            return os.open(path, flags, mode, **where)
        self._step()
        directory = self._kept(where["dir_fd"])
        opened = os.open(path, flags, mode, **where)
        self._note(directory, lambda: os.unlink(path, dir_fd=directory))
        return opened

    def rename(self, old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        self._step()
        directory = self._kept(dst_dir_fd)
        buried = self._bury(new, directory)
        os.rename(old, new, src_dir_fd=directory, dst_dir_fd=directory)

        def undo() -> None:
            os.rename(new, old, src_dir_fd=directory, dst_dir_fd=directory)
            if buried is not None:
                os.rename(buried, new, dst_dir_fd=directory)

        self._note(directory, undo)

    def unlink(self, name: str, *, dir_fd: int) -> None:
        self._step()
        directory = self._kept(dir_fd)
        buried = self._bury(name, directory)
        os.unlink(name, dir_fd=directory)
        assert buried is not None
        self._note(directory, lambda: os.rename(buried, name, dst_dir_fd=directory))

    def symlink(self, target: Any, name: Any, *, dir_fd: int) -> None:
        self._step()
        directory = self._kept(dir_fd)
        os.symlink(target, name, dir_fd=directory)
        self._note(directory, lambda: os.unlink(name, dir_fd=directory))

    def mkdir(self, name: str, mode: int, *, dir_fd: int) -> None:
        self._step()
        directory = self._kept(dir_fd)
        os.mkdir(name, mode, dir_fd=directory)
        self._note(directory, lambda: shutil.rmtree(name, dir_fd=directory))

    def rmdir(self, name: str, *, dir_fd: int) -> None:
        self._step()
        directory = self._kept(dir_fd)
        os.rmdir(name, dir_fd=directory)
        self._note(directory, lambda: os.mkdir(name, 0o755, dir_fd=directory))

    # --- what makes them last ---

    def fsync(self, target: int) -> None:
        self._step()
        inode = os.fstat(target).st_ino
        self._pending = [c for c in self._pending if c.inode != inode]

    def _step(self) -> None:
        if self._cut_at is not None and self.steps >= self._cut_at:
            raise PowerCut(self.steps)
        self.steps += 1

    def _kept(self, descriptor: int) -> int:
        self._descriptors.append(os.dup(descriptor))
        return self._descriptors[-1]

    def _note(self, descriptor: int, undo: Callable[[], None]) -> None:
        inode = os.fstat(descriptor).st_ino
        self._pending.append(Unsynchronised(inode, undo))

    def _bury(self, name: str, directory: int) -> Path | None:
        grave = self._graveyard / str(len(self._descriptors))
        try:
            os.link(name, grave, src_dir_fd=directory, follow_symlinks=False)
        except (FileNotFoundError, PermissionError):  # nothing there, or a directory
            return None
        return grave


@contextmanager
def unreliable_disk(
    graveyard: Path, *, cut_at: int | None = None, loses: bool = False
) -> Iterator[UnreliableOs]:
    """Run the block on a disk that stops at step `cut_at`; the cut ends the block.

    Without `cut_at` nothing happens to it: it is only faster than a real one.
    """
    graveyard.mkdir(exist_ok=True)
    double = UnreliableOs(graveyard, cut_at)
    with pytest.MonkeyPatch.context() as patch:
        for module in CODE:
            patch.setattr(module, "os", double)
        try:
            yield double
        except PowerCut:
            if loses:
                double.lose()
        finally:
            double.release()
            shutil.rmtree(graveyard)
