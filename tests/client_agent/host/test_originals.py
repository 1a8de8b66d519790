import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent.host.errors import HostError
from client_agent.host.originals import OwnedFiles, settings_with_originals
from tests.client_agent.host.power_cut import unreliable_disk
from tests.client_agent.host.trees import Node, Tree, describe, make

FILE = "etc/browser/policies/start.json"
OTHER = "etc/plain.conf"
OLD, NEW = b"old content", b"newer content"

DIRECTORY = Node("directory", 0o755)
BEFORE: dict[str, Tree] = {
    "nothing": {"etc": DIRECTORY},
    "files": {
        "etc": DIRECTORY,
        "etc/browser": Node("directory", 0o750),
        "etc/browser/policies": DIRECTORY,
        FILE: Node("file", 0o600, b"the administrator's own"),
        OTHER: Node("file", 0o4711, b""),
    },
    "links": {
        "etc": DIRECTORY,
        "etc/browser": DIRECTORY,
        "etc/browser/policies": Node("directory", 0o700),
        FILE: Node("link", content=b"../../elsewhere"),
        OTHER: Node("link", content=b"/dev/\xff\xfe"),
    },
}


def owned(root: Path, setting: str = "pages") -> OwnedFiles:
    return OwnedFiles(root, setting, owns=frozenset({FILE, OTHER}))


def put_all(root: Path, content: bytes) -> None:
    files = owned(root)
    for path in (FILE, OTHER):
        if not files.holds(path, content):
            files.put(path, content)


def revert(root: Path) -> None:
    for setting in settings_with_originals(root):
        OwnedFiles(root, setting).revert()


def contents(root: Path) -> tuple[bytes, bytes]:
    return (root / FILE).read_bytes(), (root / OTHER).read_bytes()


MIXED: Tree = {**BEFORE["files"], OTHER: BEFORE["links"][OTHER]}


@pytest.fixture(params=BEFORE)
def before(request: pytest.FixtureRequest) -> Tree:
    return BEFORE[request.param]


@pytest.fixture
def root(tmp_path: Path, before: Tree) -> Path:
    make(tmp_path, before)
    return tmp_path


def test_everything_comes_back_as_it_was(root: Path, before: Tree) -> None:
    put_all(root, OLD)
    put_all(root, NEW)
    assert contents(root) == (NEW, NEW)
    assert (root / FILE).stat().st_mode & 0o777 == 0o644

    assert owned(root).revert() == []

    assert describe(root) == before
    assert settings_with_originals(root) == []


def test_a_second_put_changes_nothing(root: Path) -> None:
    put_all(root, NEW)
    files = owned(root)
    with unreliable_disk(root / "graveyard") as disk:
        files.put(FILE, NEW)
        assert files.holds(FILE, NEW)
    assert disk.steps == 0


def test_a_foreign_change_is_seen_and_told_at_the_end(root: Path, before: Tree) -> None:
    put_all(root, NEW)
    assert owned(root).changed_from_outside() == []
    (root / FILE).write_bytes(b"somebody else's")
    (root / OTHER).chmod(0o666)

    assert sorted(owned(root).changed_from_outside()) == [FILE, OTHER]
    assert sorted(owned(root).revert()) == [FILE, OTHER]
    assert describe(root) == before


def test_a_deleted_file_is_a_foreign_change(root: Path) -> None:
    put_all(root, NEW)
    (root / FILE).unlink()
    assert owned(root).changed_from_outside() == [FILE]


def test_a_deleted_directory_comes_back_with_its_original(tmp_path: Path) -> None:
    make(tmp_path, BEFORE["files"])
    put_all(tmp_path, NEW)
    shutil.rmtree(tmp_path / "etc/browser")
    owned(tmp_path).revert()
    assert (tmp_path / FILE).read_bytes() == b"the administrator's own"


def test_one_path_can_be_given_back_alone(root: Path, before: Tree) -> None:
    put_all(root, NEW)
    assert owned(root).restore(OTHER) is False
    assert describe(root).get(OTHER) == before.get(OTHER)
    assert owned(root).paths() == [FILE]
    assert owned(root).restore(OTHER) is False


def test_what_others_left_in_our_directory_stays(tmp_path: Path) -> None:
    make(tmp_path, BEFORE["nothing"])
    put_all(tmp_path, NEW)
    foreign = tmp_path / "etc/browser/policies/foreign"
    foreign.write_bytes(b"x")

    owned(tmp_path).revert()

    assert foreign.read_bytes() == b"x"
    assert not (tmp_path / FILE).exists()


def test_a_directory_stays_while_another_setting_needs_it(tmp_path: Path) -> None:
    make(tmp_path, BEFORE["nothing"])
    neighbour = "etc/browser/policies/more.json"
    owned(tmp_path).put(FILE, NEW)
    OwnedFiles(tmp_path, "more").put(neighbour, NEW)

    owned(tmp_path).revert()
    assert (tmp_path / neighbour).read_bytes() == NEW
    OwnedFiles(tmp_path, "more").revert()

    assert describe(tmp_path) == BEFORE["nothing"]


def test_only_owned_paths_are_put(tmp_path: Path) -> None:
    make(tmp_path, {})
    for path in ("etc/passwd", f"{FILE}/more"):
        with pytest.raises(HostError, match="path-not-owned"):
            owned(tmp_path).put(path, NEW)


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "", "."])
def test_no_path_leads_out_by_its_name(tmp_path: Path, path: str) -> None:
    with pytest.raises(HostError, match="path-invalid"):
        OwnedFiles(tmp_path, "pages").put(path, NEW)


@pytest.mark.parametrize("setting", ["", "..", "a/b", "A", "a\n", "-a"])
def test_no_setting_leads_out_by_its_name(tmp_path: Path, setting: str) -> None:
    with pytest.raises(HostError, match="setting-invalid"):
        OwnedFiles(tmp_path, setting)


@pytest.mark.parametrize("link", ["etc", "etc/browser", "etc/browser/policies"])
def test_no_link_on_the_way_is_followed(tmp_path: Path, link: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    make(root, {})
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(outside)

    with pytest.raises(HostError, match="path-blocked"):
        owned(root).put(FILE, NEW)
    with pytest.raises(HostError, match="path-blocked"):
        owned(root).read(FILE)

    assert list(outside.iterdir()) == []


def test_a_link_that_appears_later_does_not_lead_the_revert_astray(
    tmp_path: Path,
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    make(root, BEFORE["files"])
    put_all(root, NEW)
    shutil.move(root / "etc/browser", outside)
    (root / "etc/browser").symlink_to(outside)

    with pytest.raises(HostError, match="path-blocked"):
        owned(root).revert()

    assert (outside / "policies/start.json").read_bytes() == NEW
    assert (root / OTHER).read_bytes() == b"", "the other path is given back"
    assert settings_with_originals(root) == ["pages"], "it is tried again"


def test_a_directory_in_the_place_of_a_file_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path, {})
    (tmp_path / FILE).mkdir(parents=True)
    with pytest.raises(HostError, match="path-occupied"):
        owned(tmp_path).put(FILE, NEW)


def test_a_damaged_journal_stops_nothing_else(tmp_path: Path) -> None:
    make(tmp_path, BEFORE["files"])
    put_all(tmp_path, NEW)
    journal = tmp_path / "var/lib/citizenpc/originals/pages"
    kept = next(p for p in journal.glob("*.original") if p.stat().st_size)
    kept.write_bytes(b"")

    with pytest.raises(HostError, match="journal-damaged"):
        owned(tmp_path).revert()

    assert contents(tmp_path) == (NEW, b"")


@pytest.mark.needs("root")
def test_the_owner_comes_back_too(tmp_path: Path) -> None:
    make(tmp_path, BEFORE["files"])
    os.chown(tmp_path / FILE, 12, 34)
    put_all(tmp_path, NEW)
    assert (tmp_path / FILE).stat().st_uid == os.geteuid()
    owned(tmp_path).revert()
    status = (tmp_path / FILE).stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (12, 34, 0o600)


# --- power cuts, at every step ---

Step = Callable[[Path], None]


def give_back(root: Path) -> None:
    owned(root).restore(FILE)


STEPS: dict[str, tuple[list[Step], Step]] = {
    "first": ([], lambda root: put_all(root, OLD)),
    "change": ([lambda root: put_all(root, OLD)], lambda root: put_all(root, NEW)),
    "mend": (
        [
            lambda root: put_all(root, NEW),
            lambda root: (root / FILE).unlink(),
            lambda root: (root / OTHER).chmod(0o777),
        ],
        lambda root: put_all(root, NEW),
    ),
    "revert": ([lambda root: put_all(root, NEW)], revert),
    "give back": (
        [lambda root: put_all(root, NEW)],
        give_back,
    ),
}


def cuts(before: Tree, name: str, loses: bool) -> Iterator[tuple[Path, int]]:
    """A fresh tree after each possible cut of a step."""
    earlier, step = STEPS[name]
    cut_at, is_over = 0, False
    while not is_over:
        with TemporaryDirectory() as directory:
            root = Path(directory) / "root"
            make(root, before)
            graveyard = Path(directory) / "graveyard"
            with unreliable_disk(graveyard):
                for done in earlier:
                    done(root)
            with unreliable_disk(graveyard, cut_at=cut_at, loses=loses):
                step(root)
                is_over = True
            with unreliable_disk(graveyard):
                yield root, cut_at
        cut_at += 1
    assert cut_at > 5


@pytest.mark.parametrize("loses", [False, True], ids=["killed", "power-cut"])
@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("before", [BEFORE["nothing"], MIXED], ids=["new", "old"])
def test_after_any_cut_the_next_run_ends_right(
    before: Tree, name: str, loses: bool
) -> None:
    allowed = {OLD, NEW, *(node.content for node in before.values())}
    for root, cut_at in cuts(before, name, loses):
        for path in (FILE, OTHER):
            node = describe(root).get(path, Node("file"))
            assert node.content in allowed | {b""}, cut_at
        if name in ("first", "change"):
            assert owned(root).changed_from_outside() == [], cut_at
        put_all(root, NEW)
        assert contents(root) == (NEW, NEW), cut_at
        assert owned(root).changed_from_outside() == [], cut_at
        revert(root)
        assert describe(root) == before, cut_at


@pytest.mark.parametrize("loses", [False, True], ids=["killed", "power-cut"])
@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("before", [BEFORE["nothing"], MIXED], ids=["new", "old"])
def test_after_any_cut_a_revert_leaves_no_trace(
    before: Tree, name: str, loses: bool
) -> None:
    for root, cut_at in cuts(before, name, loses):
        revert(root)
        assert describe(root) == before, cut_at
        assert settings_with_originals(root) == [], cut_at


NAMES = st.sampled_from(["a", "b", "c"])
MODES = st.sampled_from([0o600, 0o644, 0o755, 0o2755, 0o4711])
LEAVES = st.one_of(
    st.builds(Node, st.just("file"), MODES, st.binary(max_size=20)),
    st.builds(
        Node, st.just("link"), content=st.binary(min_size=1, max_size=9).filter(bool)
    ).filter(lambda node: b"\0" not in node.content),
)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Up to three levels of directories with files and links in them."""
    tree: dict[str, Node] = {}
    for path in draw(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=6)):
        above = ["/".join(path[:n]) for n in range(1, len(path))]
        if any(tree.get(p, DIRECTORY).kind != "directory" for p in above):
            continue
        tree.update({p: Node("directory", 0o755) for p in above})
        place = "/".join(path)
        if place not in tree:
            tree[place] = draw(LEAVES)
    return tree


@given(
    before=trees(),
    puts=st.lists(
        st.tuples(st.lists(NAMES, min_size=1, max_size=4), st.binary(max_size=9)),
        max_size=8,
    ),
)
def test_any_tree_comes_back_after_any_puts(
    before: Tree, puts: list[tuple[list[str], bytes]]
) -> None:
    with TemporaryDirectory() as directory:
        root = Path(directory)
        make(root, before)
        described = describe(root)
        files = OwnedFiles(root, "pages")
        with unreliable_disk(root / "var/graveyard"):
            for path, content in puts:
                place = "/".join(path)
                with suppress(HostError):  # a directory or a link is in the way
                    files.put(place, content)
                    assert files.read(place) == content
            assert files.revert() == []
        assert describe(root) == described
