"""The organisation's signing key: made once, encrypted, bound to its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection

from admin_site.computers import signing
from admin_site.computers.models import SigningKey
from admin_site.computers.signing import Signer, SigningKeyMissing
from admin_site.core import crypto
from admin_site.core.tenancy import scoped
from admin_site.tenancy.services import create_organisation
from client_agent.protocol import keys
from client_agent.protocol.errors import ProtocolError
from client_agent.protocol.signed import Kind, open_document
from client_agent.protocol.state import Revocation
from tests.admin_site.backend_objects import (
    BY,
    NOW,
    Tenant,
    audit_actions,
    make_tenant,
    run_task,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def norrby() -> Tenant:
    return make_tenant()


def test_a_key_is_made_once_however_often_the_task_runs(norrby: Tenant) -> None:
    with norrby.scope():
        first = signing.current_signing_key(norrby.id)
    for _each in range(3):
        run_task("computers.make_signing_key", organisation_id=str(norrby.id))
    with norrby.scope():
        assert signing.make_signing_key(organisation_id=norrby.id, now=NOW) == first
        assert list(SigningKey.objects.all()) == [first]
        assert audit_actions().count("signing_key.made") == 1


def test_the_private_half_is_nowhere_in_the_database(norrby: Tenant) -> None:
    with norrby.scope():
        key = SigningKey.objects.get()
        place = f"computers_signingkey.{key.fingerprint}"
        raw = crypto.decrypt_under_master(bytes(key.encrypted_private_key), place=place)
        private = Ed25519PrivateKey.from_private_bytes(raw)
        assert keys.raw_public(private.public_key()) == bytes(key.public_key)
        for needle in (raw, raw.hex().encode()):
            assert needle not in _everything_stored()


def _everything_stored() -> bytes:
    """All that the database holds for the scope, as text."""
    held = b""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            name = connection.ops.quote_name(table)
            cursor.execute(f"SELECT r::text FROM {name} AS r")  # noqa: S608
            held += b"".join(row[0].encode() for row in cursor.fetchall())
    assert len(held) > 1000
    return held


def test_what_is_signed_opens_with_the_public_half_only(norrby: Tenant) -> None:
    document = Revocation(computer=UUID(int=4), revoked_at=NOW)
    with norrby.scope():
        raw = Signer(norrby.id).sign(Kind.REVOCATION, document)
        key = SigningKey.objects.get()
    signed = signing.stored_document(memoryview(raw))
    assert signed.key == key.fingerprint
    opened = open_document(
        signed, Kind.REVOCATION, Revocation, public_key=bytes(key.public_key)
    )
    assert opened == document
    with pytest.raises(ProtocolError):
        open_document(signed, Kind.REVOCATION, Revocation, public_key=bytes(32))


def test_a_key_in_another_place_cannot_be_used(norrby: Tenant) -> None:
    soderby = make_tenant("soderby")
    with norrby.scope():
        box = bytes(SigningKey.objects.get().encrypted_private_key)
    with soderby.scope():
        SigningKey.objects.update(encrypted_private_key=box)
        with pytest.raises(crypto.SecretUnreadable):
            Signer(soderby.id)


def test_under_another_master_key_nothing_is_signed(
    norrby: Tenant, tmp_path: Path, settings: Any
) -> None:
    settings.MASTER_KEY_FILE = tmp_path / "other.key"
    crypto.make_master_key_file(settings.MASTER_KEY_FILE)
    with norrby.scope(), pytest.raises(crypto.SecretUnreadable):
        Signer(norrby.id)


def test_a_web_process_cannot_sign(norrby: Tenant, settings: Any) -> None:
    settings.MASTER_KEY_FILE = None
    with norrby.scope():
        assert signing.current_signing_key(norrby.id) is not None
        with pytest.raises(crypto.MasterKeyMissing):
            Signer(norrby.id)


def test_before_the_worker_made_a_key_nothing_is_signed() -> None:
    organisation = create_organisation(name="N", slug="norrby", by=BY)
    with scoped([organisation.pk]), pytest.raises(SigningKeyMissing):
        Signer(organisation.pk)


def test_each_organisation_signs_with_its_own_key(norrby: Tenant) -> None:
    soderby = make_tenant("soderby")
    with norrby.scope(), pytest.raises(SigningKeyMissing):
        Signer(soderby.id)
    with scoped([norrby.id, soderby.id]):
        first, second = (
            signing.stored_document(Signer(each.id).sign(Kind.STATE, {}))
            for each in (norrby, soderby)
        )
    assert first.key != second.key
