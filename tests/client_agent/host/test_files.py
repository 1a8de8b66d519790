import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_agent.host import files
from client_agent.host.files import read_or_none, write_atomically
from tests.client_agent.host.power_cut import unreliable_disk


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert read_or_none(path) is None
    write_atomically(path, b"one")
    write_atomically(path, b"two", mode=0o600)
    assert read_or_none(path) == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "file", b"", mode=0o664)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o664


def test_nothing_to_read_below_a_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"")
    assert read_or_none(tmp_path / "file/more") is None


def test_the_directory_must_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "nowhere/file", b"")


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside, link = tmp_path / "outside", tmp_path / "link"
    outside.write_bytes(b"theirs")
    link.symlink_to(outside)

    with pytest.raises(OSError, match="symbolic links") as caught:
        read_or_none(link)
    assert caught.value.errno == errno.ELOOP
    write_atomically(link, b"ours")

    assert outside.read_bytes() == b"theirs"
    assert read_or_none(link) == b"ours"


def test_a_link_beside_is_not_followed_either(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"theirs")
    (tmp_path / files.name_beside("file")).symlink_to(outside)

    write_atomically(tmp_path / "file", b"ours")

    assert outside.read_bytes() == b"theirs"


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_or_none(tmp_path / "pipe")


class FullDisk:
    """``os`` on a disk that takes only so many bytes more."""

    def __init__(self, room: int) -> None:
        self._room = room

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def write(self, target: int, data: memoryview) -> int:
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(target, data[: self._room])
        self._room -= written
        return written


@pytest.mark.parametrize("room", [0, 1, 8])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr(files, "os", FullDisk(room))

    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"much newer")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("loses", [False, True], ids=["killed", "power-cut"])
@pytest.mark.parametrize("old", [None, b"", b"old" * 50])
def test_a_cut_leaves_the_old_or_the_new_file(
    tmp_path: Path, old: bytes | None, loses: bool
) -> None:
    path, new = tmp_path / "file", b"new" * 90
    cut_at, is_over = 0, False
    while not is_over:
        path.unlink(missing_ok=True)
        if old is not None:
            write_atomically(path, old)
        graveyard = tmp_path / "graveyard"
        with unreliable_disk(graveyard, cut_at=cut_at, loses=loses):
            write_atomically(path, new)
            is_over = True
        assert read_or_none(path) in (old, new), cut_at
        cut_at += 1
    assert read_or_none(path) == new


@given(st.binary(max_size=5000), st.sampled_from([0o600, 0o640, 0o644, 0o755]))
def test_any_bytes_come_back(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, mode: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    write_atomically(path, data, mode=mode)
    assert read_or_none(path) == data
    assert stat.S_IMODE(path.stat().st_mode) == mode
