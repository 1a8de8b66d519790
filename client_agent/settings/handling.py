"""The agent's half of a setting: from what is wanted to changes on the computer."""

import abc
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from client_agent.host.originals import OwnedFiles
from client_agent.settings import SettingSchema

S = TypeVar("S", bound=msgspec.Struct)


@dataclass(frozen=True)
class PutFile:
    """Make `path`, relative to the root, a file with `data`."""

    path: str
    data: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class RestoreFile:
    """Bring back what was at `path` before the setting wrote it."""

    path: str


Change = PutFile | RestoreFile


class Handler(abc.ABC, Generic[S]):
    """Applies one setting; without state of its own, since runs are far apart.

    `owns` are the files, relative to the root, that this and no other setting writes.
    Every method raises HostError for what the computer refuses; FeatureAbsent among
    them makes the setting not applicable.
    """

    owns: ClassVar[frozenset[str]]

    @abc.abstractmethod
    def read(self, files: OwnedFiles) -> Mapping[str, bytes | None]:
        """What is there now, by path."""

    @abc.abstractmethod
    def plan(self, wanted: S, files: OwnedFiles) -> Sequence[Change]:
        """Changes that lead from what is to `wanted`; none when it is so already."""

    def apply(self, changes: Sequence[Change], files: OwnedFiles) -> None:
        """Carry out planned changes; doing so twice is doing so once."""
        for change in changes:
            match change:
                case PutFile(path, data, mode):
                    files.put(path, data, mode=mode)
                case RestoreFile(path):
                    files.restore(path)


class FileHandler(Handler[S]):
    """A handler whose setting is nothing but files."""

    @abc.abstractmethod
    def contents(self, wanted: S) -> Mapping[str, bytes]:
        """Every file that `wanted` needs, by path; a subset of `owns`."""

    def read(self, files: OwnedFiles) -> Mapping[str, bytes | None]:
        return {path: files.read(path) for path in sorted(self.owns)}

    def plan(self, wanted: S, files: OwnedFiles) -> Sequence[Change]:
        contents = self.contents(wanted)
        left_over = [RestoreFile(p) for p in files.paths() if p not in contents]
        missing = [
            PutFile(path, data)
            for path, data in contents.items()
            if not files.holds(path, data)
        ]
        return [*left_over, *missing]


def load_handler(schema: SettingSchema[Any]) -> Handler[Any]:
    """The handler in the folder of `schema`, imported when first asked for."""
    module = importlib.import_module(f"client_agent.settings.{schema.package}.handler")
    handler: Handler[Any] = module.HANDLER
    return handler
