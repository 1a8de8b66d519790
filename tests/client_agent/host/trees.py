"""Small file trees: made from a description, and described again."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OWN = "var/lib/citizenpc"
"""What is below belongs to the agent and to no setting."""


@dataclass(frozen=True)
class Node:
    """`kind` is file, link or directory; `content` of a link is its target."""

    kind: str
    mode: int = 0
    content: bytes = b""


Tree = Mapping[str, Node]


def make(root: Path, tree: Tree) -> None:
    """Make the nodes of `tree` below `root`; directories come before their content."""
    (root / OWN).mkdir(parents=True)
    for path, node in sorted(tree.items()):
        place = root / path
        if node.kind == "directory":
            place.mkdir()
        elif node.kind == "link":
            os.symlink(node.content, os.fsencode(place))
        else:
            place.write_bytes(node.content)
        if node.kind != "link":
            place.chmod(node.mode)


def describe(root: Path) -> dict[str, Node]:
    """Every node below `root` but the agent's own."""
    found: dict[str, Node] = {}
    for directory, names, files in os.walk(root):
        for name in [*names, *files]:
            place = Path(directory) / name
            path = place.relative_to(root).as_posix()
            if not (path + "/").startswith(("var/", OWN + "/")):
                found[path] = _node(place)
    return found


def _node(place: Path) -> Node:
    status = place.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Node("link", content=os.readlink(os.fsencode(place)))
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return Node("directory", mode)
    return Node("file", mode, place.read_bytes())
