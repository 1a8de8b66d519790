"""Secrets at rest: encrypted under a master key that is outside the database."""

import base64
import hmac
import os
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from admin_site.core.errors import PortalError

_NONCE_BYTES = 12
_KEY_BYTES = 32


class MasterKeyMissing(PortalError):
    """This process has no master key: only the worker has, and it lacks one too."""

    code = "master-key-missing"


class SecretUnreadable(PortalError):
    """A stored secret was encrypted under another key, or changed."""

    code = "secret-unreadable"


def make_master_key_file(path: Path) -> None:
    """Write a new random master key, readable by its owner only; never overwrites."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(base64.b64encode(os.urandom(_KEY_BYTES)).decode("ascii") + "\n")
        file.flush()
        os.fsync(file.fileno())


@cache
def _master_key(path: Path | None) -> bytes:
    if path is None:
        raise MasterKeyMissing("CITIZENPC_MASTER_KEY_FILE is not set in this process.")
    try:
        key = base64.b64decode(path.read_text(encoding="ascii"), validate=False)
    except (OSError, ValueError) as error:
        raise MasterKeyMissing(f"{path} cannot be read as a master key.") from error
    if len(key) != _KEY_BYTES:
        raise MasterKeyMissing(f"{path} does not hold {_KEY_BYTES} bytes in base64.")
    return key


def encrypt_under_master(secret: bytes, *, place: str) -> bytes:
    """Encrypt for storage at `place` (table, column and row), which is bound in."""
    return _encrypt(_master_key(settings.MASTER_KEY_FILE), secret, place)


def decrypt_under_master(box: bytes, *, place: str) -> bytes:
    """Reverse `encrypt_under_master`.

    Raises:
        SecretUnreadable: other key, other place, or changed.
    """
    return _decrypt(_master_key(settings.MASTER_KEY_FILE), box, place)


def mac_under_master(message: bytes, *, purpose: str) -> bytes:
    """HMAC-SHA256 with a key of its own for each `purpose`.

    Raises:
        MasterKeyMissing: only the worker and the operator's commands can make one.
    """
    derive = HKDF(
        hashes.SHA256(),
        _KEY_BYTES,
        salt=None,
        info=b"citizenpc/mac/" + purpose.encode(),
    )
    key = derive.derive(_master_key(settings.MASTER_KEY_FILE))
    return hmac.digest(key, message, "sha256")


def encrypt_for_web(secret: bytes, *, place: str) -> bytes:
    """Encrypt what web processes must read back, such as the second factor's seed."""
    return _encrypt(_web_key(), secret, place)


def decrypt_for_web(box: bytes, *, place: str) -> bytes:
    """Reverse `encrypt_for_web`; raises `SecretUnreadable`."""
    return _decrypt(_web_key(), box, place)


def _web_key() -> bytes:
    derive = HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=b"citizenpc/web/1")
    return derive.derive(settings.SECRET_KEY.encode())


def _encrypt(key: bytes, secret: bytes, place: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, secret, place.encode())


def _decrypt(key: bytes, box: bytes, place: str) -> bytes:
    try:
        return ChaCha20Poly1305(key).decrypt(
            box[:_NONCE_BYTES], box[_NONCE_BYTES:], place.encode()
        )
    except (InvalidTag, ValueError) as error:
        raise SecretUnreadable(f"The secret at {place} cannot be read.") from error
