"""The audit log: inside the transaction of the deed, masked, never changed."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
import structlog
from django.db import transaction
from django.utils.translation import gettext_lazy

from admin_site.accounts.actors import actor_of
from admin_site.audit.models import AuditEvent
from admin_site.audit.services import MASK, Actor, record, snapshot, system_actor
from admin_site.tenancy.models import Organisation, Site
from tests.admin_site.backend_objects import (
    BY,
    audit_actions,
    last_event,
    make_tenant,
)


@pytest.mark.django_db
def test_an_event_tells_who_what_and_to_what() -> None:
    norrby = make_tenant()
    with norrby.scope(), structlog.contextvars.bound_contextvars(request_id="r" * 32):
        record(
            organisation_id=norrby.id,
            by=actor_of(norrby.admin),
            action="site.renamed",
            target=norrby.site,
            before={"name": "Library"},
            after={"name": "Main library"},
        )
        event = last_event("site.renamed")
    assert (event.actor_kind, event.actor_id) == ("user", str(norrby.admin.pk))
    assert event.actor_name == norrby.admin.name
    assert (event.target_kind, event.target_id) == ("site", str(norrby.site.pk))
    assert event.target_name == "Library"
    assert (event.before, event.after) == (
        {"name": "Library"},
        {"name": "Main library"},
    )
    assert event.request_id == "r" * 32
    assert event.at.tzinfo is not None


@pytest.mark.django_db(transaction=True)
def test_a_deed_without_a_transaction_cannot_be_recorded() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        record(
            organisation_id=UUID(int=1),
            by=BY,
            action="x",
            target=Organisation(name="N"),
        )


@pytest.mark.django_db
def test_an_event_goes_with_its_deed() -> None:
    norrby = make_tenant()
    with norrby.scope():
        before = audit_actions()
        with transaction.atomic():
            record(organisation_id=norrby.id, by=BY, action="x", target=norrby.site)
            transaction.set_rollback(True)
        assert audit_actions() == before


@pytest.mark.django_db
def test_events_of_others_are_not_seen() -> None:
    norrby, soderby = make_tenant("norrby"), make_tenant("soderby")
    with norrby.scope():
        assert {e.organisation_id for e in AuditEvent.objects.all()} == {norrby.id}
    with soderby.scope():
        assert {e.organisation_id for e in AuditEvent.objects.all()} == {soderby.id}


def test_a_snapshot_is_plain_and_masks_what_it_must() -> None:
    organisation = Organisation(
        id=UUID(int=3), name="N", created_at=datetime(2026, 1, 2, tzinfo=UTC)
    )
    site = Site(organisation=organisation, name="Secret name", language="sv")
    taken = snapshot(site, "name", "language", "organisation", masked=("name",))
    assert taken == {
        "name": MASK,
        "language": "sv",
        "organisation": str(organisation.pk),
    }
    assert snapshot(organisation, "id", "created_at", "slug") == {
        "id": str(UUID(int=3)),
        "created_at": "2026-01-02T00:00:00+00:00",
        "slug": "",
    }
    site.name = gettext_lazy("Sites")  # type: ignore[assignment]
    assert type(snapshot(site, "name")["name"]) is str


def test_the_portal_itself_is_an_actor_without_an_id() -> None:
    assert system_actor("sweep") == Actor(kind="system", id="", name="sweep")
