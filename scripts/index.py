"""The library as a list: what the portal imports and the documentation shows."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scripts.metadata import MetadataError, ScriptMetadata, read_metadata
from scripts.parameters import Texts

LIBRARY_ROOT = Path(__file__).resolve().parent
"""The directory with a directory for each category."""

EXECUTABLE_NAME = "run"
METADATA_NAME = "script.toml"
CATEGORIES_NAME = "categories.toml"


@dataclass(frozen=True)
class LibraryScript:
    """One version of one script; `sha256` and `size_bytes` are its executable's."""

    metadata: ScriptMetadata
    category_title: Texts
    executable: Path
    sha256: str
    size_bytes: int

    def content(self) -> bytes:
        """The executable as a computer will get it."""
        return self.executable.read_bytes()


def script_directories(root: Path) -> list[Path]:
    """Directories ``<category>/<slug>`` below `root`, sorted.

    Names that begin with a dot or an underscore do not count, nor does ``schema``,
    where the JSON Schema is kept.
    """
    return sorted(
        script
        for category in root.iterdir()
        if _is_category(category)
        for script in category.iterdir()
        if script.is_dir() and not script.name.startswith((".", "_"))
    )


def load_library(root: Path = LIBRARY_ROOT) -> list[LibraryScript]:
    """All scripts below `root`, sorted by category and slug.

    Only what is needed to import them is checked; `scripts.build.check_library`
    checks the rest.

    Raises:
        MetadataError: a script cannot be read or names a category without a title.
    """
    titles = category_titles(root)
    return [load_script(path, titles) for path in script_directories(root)]


def load_script(path: Path, titles: dict[str, Texts]) -> LibraryScript:
    """The script in the directory `path`; errors as in `load_library`."""
    metadata = read_metadata(path / METADATA_NAME)
    if metadata.category not in titles:
        raise MetadataError(f"{CATEGORIES_NAME} lacks {metadata.category!r}")
    executable = path / EXECUTABLE_NAME
    try:
        content = executable.read_bytes()
    except OSError as error:
        raise MetadataError(f"{EXECUTABLE_NAME}: {error.strerror}") from error
    return LibraryScript(
        metadata=metadata,
        category_title=titles[metadata.category],
        executable=executable,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


def category_titles(root: Path) -> dict[str, Texts]:
    """Title of each category that `root` has.

    Raises:
        MetadataError: ``categories.toml`` cannot be read.
    """
    try:
        content = (root / CATEGORIES_NAME).read_bytes()
        return msgspec.toml.decode(content, type=dict[str, Texts])
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise MetadataError(f"{CATEGORIES_NAME}: {error}") from error


def _is_category(path: Path) -> bool:
    return (
        path.is_dir() and not path.name.startswith((".", "_")) and path.name != "schema"
    )
