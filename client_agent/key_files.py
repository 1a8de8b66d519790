"""Private keys: made once, kept in files that only their owner reads."""

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from client_agent.errors import AgentError
from client_agent.host.files import read_or_none, write_atomically
from client_agent.texts import _

_KEY_BYTES = 32


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 key in `path`, made (0600, fsynced) if there is none.

    Raises:
        AgentError: ``key-damaged``: a file is there that holds no key.
    """
    raw = _load_or_make(path, lambda: _raw(Ed25519PrivateKey.generate()))
    return Ed25519PrivateKey.from_private_bytes(raw)


def sealing_key(path: Path) -> X25519PrivateKey:
    """The X25519 key in `path`, as `signing_key`."""
    raw = _load_or_make(path, lambda: _raw(X25519PrivateKey.generate()))
    return X25519PrivateKey.from_private_bytes(raw)


def public_bytes(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    """The 32 bytes of the public half."""
    return key.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )


def _raw(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.Raw,
        serialization.PrivateFormat.Raw,
        serialization.NoEncryption(),
    )


def _load_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    raw = read_or_none(path)
    if raw is None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        raw = make()
        write_atomically(path, raw, mode=0o600)
    if len(raw) != _KEY_BYTES:
        raise AgentError(
            "key-damaged",
            str(path),
            hint=_("Remove the file and enrol this computer again."),
        )
    return raw
