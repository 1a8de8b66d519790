"""Secrets at rest, and files by their digest."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from admin_site.core import crypto
from admin_site.core.blobs import path_of_blob, store_blob

places = st.text(st.characters(codec="utf-8"), max_size=20)
pairs = pytest.mark.parametrize(
    ("encrypt", "decrypt"),
    [
        (crypto.encrypt_under_master, crypto.decrypt_under_master),
        (crypto.encrypt_for_web, crypto.decrypt_for_web),
    ],
    ids=["master", "web"],
)


@pairs
def test_a_secret_comes_back_from_its_place_only(encrypt: Any, decrypt: Any) -> None:
    @given(st.binary(max_size=80), places, places)
    def check(secret: bytes, place: str, elsewhere: str) -> None:
        assume(place != elsewhere)
        box = encrypt(secret, place=place)
        assert decrypt(box, place=place) == secret
        assert encrypt(secret, place=place) != box
        with pytest.raises(crypto.SecretUnreadable):
            decrypt(box, place=elsewhere)

    check()


@pairs
def test_a_changed_or_cut_box_is_unreadable(encrypt: Any, decrypt: Any) -> None:
    @given(st.binary(max_size=40), st.data())
    def check(secret: bytes, data: st.DataObject) -> None:
        box = encrypt(secret, place="a.b")
        place = data.draw(st.integers(0, len(box) - 1))
        flipped = bytearray(box)
        flipped[place] ^= data.draw(st.integers(1, 255))
        for changed in (bytes(flipped), box[:place], box + b"x"):
            with pytest.raises(crypto.SecretUnreadable):
                decrypt(changed, place="a.b")

    check()


def test_what_the_web_may_read_is_no_key_to_the_rest() -> None:
    box = crypto.encrypt_under_master(b"secret", place="a")
    with pytest.raises(crypto.SecretUnreadable):
        crypto.decrypt_for_web(box, place="a")


def test_a_master_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    crypto.make_master_key_file(path)
    content = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(base64.b64decode(content)) == 32
    with pytest.raises(FileExistsError):
        crypto.make_master_key_file(path)
    assert path.read_bytes() == content


def test_under_another_master_key_nothing_can_be_read(
    tmp_path: Path, settings: Any
) -> None:
    box = crypto.encrypt_under_master(b"secret", place="a")
    settings.MASTER_KEY_FILE = tmp_path / "other.key"
    crypto.make_master_key_file(settings.MASTER_KEY_FILE)
    with pytest.raises(crypto.SecretUnreadable):
        crypto.decrypt_under_master(box, place="a")


@pytest.mark.parametrize("content", [None, b"", b"c2hvcnQ=", b"\xff\xff", b"x" * 44])
def test_without_a_whole_master_key_nothing_is_encrypted(
    content: bytes | None, tmp_path: Path, settings: Any
) -> None:
    settings.MASTER_KEY_FILE = tmp_path / f"key-{content!r}"[:40]
    if content is not None:
        settings.MASTER_KEY_FILE.write_bytes(content)
    with pytest.raises(crypto.MasterKeyMissing):
        crypto.encrypt_under_master(b"secret", place="a")


def test_a_web_process_has_no_master_key(settings: Any) -> None:
    settings.MASTER_KEY_FILE = None
    with pytest.raises(crypto.MasterKeyMissing, match="CITIZENPC_MASTER_KEY_FILE"):
        crypto.decrypt_under_master(b"x" * 40, place="a")


# --- blobs --------------------------------------------------------------------------


@pytest.fixture
def blob_dir(tmp_path: Path, settings: Any) -> Path:
    settings.BLOB_DIR = tmp_path / "blobs"
    return tmp_path / "blobs"


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", os.urandom(1000)])
def test_a_blob_is_kept_once_under_its_digest(data: bytes, blob_dir: Path) -> None:
    sha256 = store_blob(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert path_of_blob(sha256).read_bytes() == data
    before = path_of_blob(sha256).stat()
    assert store_blob(data) == sha256
    assert path_of_blob(sha256).stat() == before
    assert [each for each in blob_dir.rglob("*") if each.is_file()] == [
        path_of_blob(sha256)
    ]


def test_an_interrupted_write_leaves_nothing(
    blob_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        store_blob(b"content")
    assert [each for each in blob_dir.rglob("*") if each.is_file()] == []


@pytest.mark.parametrize(
    "name", ["", "a" * 63, "A" * 64, "g" * 64, "../" + "a" * 61, "a" * 65, "é" * 64]
)
def test_a_path_is_made_of_a_digest_only(name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        path_of_blob(name)
