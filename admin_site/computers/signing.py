"""The organisation's signing key: made and used by the worker only."""

from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from admin_site.computers.models import SigningKey
from admin_site.core.crypto import decrypt_under_master, encrypt_under_master
from admin_site.core.errors import PortalError
from client_agent.protocol import codec, keys
from client_agent.protocol.signed import Kind, Signed, sign_document


class SigningKeyMissing(PortalError):
    """The worker has not made the organisation's key yet."""

    code = "signing-key-missing"


def make_signing_key(*, organisation_id: UUID, now: datetime) -> SigningKey:
    """Make the organisation's first key; with one already there, return that."""
    current = current_signing_key(organisation_id)
    if current is not None:
        return current
    private = Ed25519PrivateKey.generate()
    public = keys.raw_public(private.public_key())
    name = keys.fingerprint(public)
    return SigningKey.objects.create(
        organisation_id=organisation_id,
        public_key=public,
        fingerprint=name,
        encrypted_private_key=encrypt_under_master(
            private.private_bytes_raw(), place=_place(name)
        ),
        created_at=now,
    )


def current_signing_key(organisation_id: UUID) -> SigningKey | None:
    """The record with the public half, which every process may read."""
    key: SigningKey | None = (
        SigningKey.objects.for_organisation(organisation_id)
        .filter(retired_at__isnull=True)
        .first()
    )
    return key


class Signer:
    """Signs documents of one organisation; holds the private key in memory."""

    def __init__(self, organisation_id: UUID) -> None:
        """Raises `SigningKeyMissing`, `MasterKeyMissing` or `SecretUnreadable`."""
        record = current_signing_key(organisation_id)
        if record is None:
            raise SigningKeyMissing("The organisation has no signing key yet.")
        raw = decrypt_under_master(
            bytes(record.encrypted_private_key), place=_place(record.fingerprint)
        )
        self._key = Ed25519PrivateKey.from_private_bytes(raw)

    def sign(self, kind: Kind, document: object) -> bytes:
        """The encoded envelope, ready to store and to deliver as it is."""
        return codec.encode(sign_document(kind, document, self._key))


def stored_document(raw: bytes | memoryview) -> Signed:
    """An envelope read back from the database."""
    return codec.decode(Signed, bytes(raw))


def _place(fingerprint: str) -> str:
    return f"computers_signingkey.{fingerprint}"
