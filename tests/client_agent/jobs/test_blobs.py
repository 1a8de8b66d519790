"""Blobs: the right bytes, bounded, and nothing half on a full disk."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from client_agent.jobs.blobs import BlobError, Blobs, Fetch

CONTENT = b"#!/bin/sh\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def serving(content: bytes, asked: list[str] | None = None) -> Fetch:
    async def fetch(sha256: str, sink: Callable[[bytes], object]) -> None:
        if asked is not None:
            asked.append(sha256)
        for start in range(0, len(content), 3):
            sink(content[start : start + 3])

    return fetch


def get(blobs: Blobs, digest: str, fetch: Fetch) -> Path:
    return asyncio.run(blobs.get(digest, fetch))


def test_blob_is_fetched_once_and_executable(tmp_path: Path) -> None:
    asked: list[str] = []
    for _ in range(2):
        path = get(Blobs(tmp_path), DIGEST, serving(CONTENT, asked))
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o700
    assert asked == [DIGEST]


def test_changed_blob_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / DIGEST).write_bytes(b"#!/bin/bad\n")
    assert get(Blobs(tmp_path), DIGEST, serving(CONTENT)).read_bytes() == CONTENT


def test_wrong_bytes_are_not_kept(tmp_path: Path) -> None:
    with pytest.raises(BlobError) as caught:
        get(Blobs(tmp_path), DIGEST, serving(b"something else"))
    assert caught.value.code == "blob-digest-wrong"
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    async def fetch(sha256: str, sink: Callable[[bytes], object]) -> None:
        sink(b"part")
        raise OSError(28, "no space")

    with pytest.raises(BlobError) as caught:
        get(Blobs(tmp_path), DIGEST, fetch)
    assert caught.value.code == "disk-full"
    assert list(tmp_path.iterdir()) == []


def test_least_used_blobs_make_room(tmp_path: Path) -> None:
    for age, name in enumerate(["old", "older", "oldest"]):
        (tmp_path / name).write_bytes(b"x" * 10)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    kept = get(Blobs(tmp_path, most_bytes=20), DIGEST, serving(CONTENT))
    assert sorted(tmp_path.iterdir()) == sorted(
        [kept, tmp_path / "old", tmp_path / "older"]
    )


def test_half_downloads_of_a_power_cut_are_removed(tmp_path: Path) -> None:
    (tmp_path / f".{DIGEST}.abcd").write_bytes(b"half")
    Blobs(tmp_path)
    assert list(tmp_path.iterdir()) == []
