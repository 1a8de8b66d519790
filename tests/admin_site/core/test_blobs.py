"""Files by their digest."""

import pytest

from admin_site.core.blobs import path_of_blob, store_blob
from client_agent.protocol import limits


def test_a_blob_is_kept_under_its_digest() -> None:
    sha256 = store_blob(b"content")
    assert store_blob(b"content") == sha256
    assert path_of_blob(sha256).read_bytes() == b"content"


def test_a_blob_of_more_than_64_mib_is_refused() -> None:
    assert limits.BLOB_BYTES == 64 * 1024 * 1024
    with pytest.raises(ValueError, match="67108864"):
        store_blob(bytes(limits.BLOB_BYTES + 1))
