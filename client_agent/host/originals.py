"""The journal of originals: what a setting found before it first wrote a file.

``var/lib/citizenpc/originals/<setting>/`` holds for each path a record and, if there
was a file, its bytes; ``originals/directories.json`` names the directories that were
made for settings. Whatever is to be undone is recorded and on disk before it is done,
so a power cut at any step leaves a tree that a later run can finish or undo, without
the setting's own code.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePosixPath

import msgspec

from client_agent.host.errors import HostError
from client_agent.host.tree import (
    Absent,
    Entry,
    Link,
    RegularFile,
    Tree,
    TreePath,
    relative,
)

ORIGINALS = PurePosixPath("var/lib/citizenpc/originals")
_DIRECTORIES = ORIGINALS / "directories.json"
_SETTING = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class _Record(msgspec.Struct, frozen=True):
    """`expected`: what our own writes may have left at `path`; two in mid-write."""

    path: str
    original: Entry
    expected: list[Entry]


def settings_with_originals(root: Path) -> list[str]:
    """Settings that were begun on this computer and not wholly reverted, sorted."""
    names = Tree(root).names(ORIGINALS)
    return [name for name in names if _SETTING.fullmatch(name)]


class OwnedFiles:
    """The files that one setting owns below `root`, with what was there before.

    `owns` limits what may be put; who only reverts need not know it. Methods raise
    HostError (codes of `Tree`, ``path-not-owned``, ``journal-damaged``) and OSError.
    """

    def __init__(
        self, root: Path, setting: str, owns: AbstractSet[str] | None = None
    ) -> None:
        if not _SETTING.fullmatch(setting):
            raise HostError("setting-invalid", setting[:80])
        self._tree = Tree(root)
        self._owns = owns
        self._journal = ORIGINALS / setting

    def begin(self) -> None:
        """Note that the setting has begun, so that its removal is noticed."""
        for path in self._tree.missing_directories(self._journal):
            is_ours = PurePosixPath(path).is_relative_to(ORIGINALS.parent)
            self._tree.make_directory(path, mode=0o700 if is_ours else 0o755)

    def read(self, path: TreePath) -> bytes | None:
        """Content of the file at `path`; None if no file is there."""
        entry, content = self._tree.look(path)
        return content if isinstance(entry, RegularFile) else None

    def paths(self) -> list[str]:
        """Paths that were put and not restored."""
        return sorted(self._load(name).path for name in self._record_names())

    def holds(self, path: TreePath, data: bytes, *, mode: int = 0o644) -> bool:
        """Whether a `put` of the same would change nothing, not even the journal."""
        wanted = _wanted(data, mode)
        record = self._record(str(relative(path)))
        return (
            record is not None
            and record.expected == [wanted]
            and self._tree.look(path)[0] == wanted
        )

    def put(self, path: TreePath, data: bytes, *, mode: int = 0o644) -> None:
        """Make `path` a file with `data`, keeping what was there the first time.

        Missing directories are made (0755) and remembered.
        """
        place = relative(path)
        if self._owns is not None and str(place) not in self._owns:
            raise HostError("path-not-owned", f"/{place}")
        before, content = self._tree.look(place)
        wanted = _wanted(data, mode)
        record = self._record(str(place)) or self._keep(place, before, content)
        if before != wanted:
            self._store(record, [before, wanted])
            self._make_directories(place.parent)
            owner = (wanted.uid, wanted.gid)
            self._tree.write(place, data, mode=mode, owner=owner)
        elif record.expected != [wanted]:
            self._tree.discard_beside(place)  # of a write that a power cut ended
        if record.expected != [wanted]:
            self._store(record, [wanted])

    def changed_from_outside(self) -> list[str]:
        """Paths at which something else is than what we put there."""
        return [
            record.path
            for record in map(self._load, self._record_names())
            if not self._is(record.path, record.expected)
        ]

    def restore(self, path: TreePath) -> bool:
        """Bring back what was at `path` and forget it; whether it was foreign."""
        record = self._record(str(relative(path)))
        return record is not None and self._restore(record)

    def revert(self) -> list[str]:
        """Bring back everything as it was before the setting; forget the setting.

        Returns the paths that had been changed from outside; they are brought back as
        well. Directories that we made go if they are empty. One path's error does not
        keep the others from being restored; the first is raised, and the next call
        tries again.
        """
        foreign: list[str] = []
        failures: list[Exception] = []
        for name in self._record_names():
            try:
                record = self._load(name)
                if self._restore(record):
                    foreign.append(record.path)
            except (HostError, OSError) as error:
                failures.append(error)
        if failures:
            raise failures[0]
        self._remove_directories()
        for name in self._tree.names(self._journal):
            self._tree.remove(self._journal / name)
        self._tree.remove_empty_directory(self._journal)
        return foreign

    def _restore(self, record: _Record) -> bool:
        place = PurePosixPath(record.path)
        self._tree.discard_beside(place)
        is_restored = self._is(record.path, [record.original])
        is_foreign = not is_restored and not self._is(record.path, record.expected)
        if not is_restored:
            self._put_back(place, record.original)
        name = _name_of(record.path)
        self._tree.remove(self._journal / f"{name}.json")
        self._tree.remove(self._journal / f"{name}.original")
        return is_foreign

    def _put_back(self, place: PurePosixPath, original: Entry) -> None:
        if isinstance(original, Absent):
            self._tree.remove(place)
            return
        for directory in self._tree.missing_directories(place.parent):
            self._tree.make_directory(directory)
        if isinstance(original, Link):
            self._tree.link(place, original.target)
            return
        content = self._kept_content(str(place), original)
        owner = (original.uid, original.gid) if os.geteuid() == 0 else None
        self._tree.write(place, content, mode=original.mode, owner=owner)

    def _kept_content(self, path: str, original: RegularFile) -> bytes:
        kept = self._journal / f"{_name_of(path)}.original"
        content = self._tree.look(kept)[1]
        if hashlib.sha256(content).hexdigest() != original.sha256:
            raise HostError("journal-damaged", f"/{kept}")
        return content

    def _is(self, path: str, entries: list[Entry]) -> bool:
        try:
            return self._tree.look(path)[0] in entries
        except HostError:
            return False  # something that no setting ever puts there

    def _keep(self, place: PurePosixPath, entry: Entry, content: bytes) -> _Record:
        self.begin()
        name = _name_of(str(place))
        if isinstance(entry, RegularFile):
            kept = self._journal / f"{name}.original"
            self._tree.write(kept, content, mode=0o600)
        record = _Record(path=str(place), original=entry, expected=[entry])
        self._store(record, [entry])
        return record

    def _store(self, record: _Record, expected: list[Entry]) -> None:
        record = msgspec.structs.replace(record, expected=expected)
        path = self._journal / f"{_name_of(record.path)}.json"
        self._tree.write(path, msgspec.json.encode(record), mode=0o600)

    def _record_names(self) -> list[str]:
        names = self._tree.names(self._journal)
        return [name for name in names if re.fullmatch(r"[0-9a-f]{32}\.json", name)]

    def _record(self, path: str) -> _Record | None:
        name = f"{_name_of(path)}.json"
        return self._load(name) if name in self._record_names() else None

    def _load(self, name: str) -> _Record:
        place = self._journal / name
        try:
            return msgspec.json.decode(self._tree.look(place)[1], type=_Record)
        except msgspec.MsgspecError as error:
            raise HostError("journal-damaged", f"/{place}") from error

    def _make_directories(self, directory: PurePosixPath) -> None:
        missing = self._tree.missing_directories(directory)
        if missing:
            self._remember_directories({*self._directories(), *missing})
        for path in missing:
            self._tree.make_directory(path)

    def _remove_directories(self) -> None:
        known = self._directories()
        deepest_first = sorted(known, key=lambda path: path.count("/"), reverse=True)
        kept = {
            path
            for path in deepest_first
            if not self._tree.remove_empty_directory(path)
        }
        if kept != known:
            self._remember_directories(kept)

    def _directories(self) -> set[str]:
        entry, content = self._tree.look(_DIRECTORIES)
        if isinstance(entry, Absent):
            return set()
        try:
            return msgspec.json.decode(content, type=set[str])
        except msgspec.MsgspecError as error:
            raise HostError("journal-damaged", f"/{_DIRECTORIES}") from error

    def _remember_directories(self, paths: Iterable[str]) -> None:
        encoded = msgspec.json.encode(sorted(paths))
        self._tree.write(_DIRECTORIES, encoded, mode=0o600)


def _name_of(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:32]


def _wanted(data: bytes, mode: int) -> RegularFile:
    digest = hashlib.sha256(data).hexdigest()
    return RegularFile(sha256=digest, mode=mode, uid=os.geteuid(), gid=os.getegid())
