"""The operator's commands and the services behind them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from admin_site.accounts.models import OneTimeLink, User
from admin_site.accounts.services import use_one_time_link
from admin_site.computers.signing import current_signing_key
from admin_site.core import clock
from admin_site.core.tasks import all_organisation_ids
from admin_site.core.tenancy import scoped
from admin_site.tenancy.access import organisation_ids_of_user, permissions_at
from admin_site.tenancy.models import Membership, Organisation, Site
from admin_site.tenancy.roles import PERMISSIONS, Role
from admin_site.tenancy.services import create_organisation, create_site
from tests.admin_site.backend_objects import (
    BY,
    audit_actions,
    deferred,
    last_event,
    make_tenant,
    run_deferred,
)

pytestmark = pytest.mark.django_db


def _call(name: str, *arguments: str) -> str:
    written = io.StringIO()
    call_command(name, *arguments, stdout=written)
    return written.getvalue()


def test_an_organisation_comes_with_site_audit_and_key() -> None:
    told = _call(
        "create_organisation",
        *("--name", "Norrby kommun", "--slug", "norrby"),
        *("--site-name", "Biblioteket", "--site-code", "bibliotek"),
    )
    (organisation_id,) = all_organisation_ids()
    assert str(organisation_id) in told
    assert deferred() == ["computers.make_signing_key"]
    run_deferred()
    with scoped([organisation_id]):
        assert Organisation.objects.get().name == "Norrby kommun"
        assert Site.objects.get().code == "bibliotek"
        assert current_signing_key(organisation_id) is not None
        assert audit_actions() == [
            "organisation.created",
            "site.created",
            "signing_key.made",
        ]
        event = last_event("organisation.created")
    assert event.after == {"name": "Norrby kommun", "slug": "norrby"}
    assert (event.actor_kind, event.actor_name) == ("system", "create_organisation")


@pytest.mark.parametrize("slug", ["Norrby", "n", "nörrby", "a" * 41, "a b", ""])
def test_a_slug_that_no_address_can_hold_is_refused(slug: str) -> None:
    with pytest.raises(CommandError):
        _call("create_organisation", "--name", "N", "--slug", slug)
    assert all_organisation_ids() == []


def test_a_slug_is_given_once() -> None:
    make_tenant("norrby")
    with pytest.raises(CommandError, match="norrby"):
        _call("create_organisation", "--name", "Another", "--slug", "norrby")
    assert len(all_organisation_ids()) == 1


def test_a_site_needs_a_code_of_its_own() -> None:
    norrby = make_tenant()
    with norrby.scope():
        for code in ("library", "Not A Code"):
            with pytest.raises(ValidationError):
                create_site(
                    organisation=norrby.organisation, name="X", code=code, by=BY
                )
    soderby = create_organisation(name="S", slug="soderby", by=BY)
    with scoped([soderby.pk]):
        create_site(organisation=soderby, name="Library", code="library", by=BY)


def _secret(link: str) -> str:
    assert link.startswith("http://testserver/")
    return link.strip().rstrip("/").rpartition("/")[2]


def test_a_link_makes_a_person_and_signs_in_once() -> None:
    norrby = make_tenant()
    arguments = ["--email", " Eva@Example.org ", "--name", "Eva"]
    arguments += ["--organisation", "norrby", "--role", "it_technician"]
    secret = _secret(_call("one_time_link", *arguments))
    user = User.objects.get(email="eva@example.org")
    assert use_one_time_link(secret=secret, now=clock.now()) == user
    assert not user.has_usable_password()
    with norrby.scope():
        assert permissions_at(user, norrby.site) == PERMISSIONS[Role.IT_TECHNICIAN]
        assert audit_actions()[-2:] == ["member.added", "one_time_link.made"]
        assert secret not in str(last_event("one_time_link.made").__dict__)


def test_a_second_link_is_for_the_same_person() -> None:
    make_tenant()
    for _each in range(2):
        _call("one_time_link", "--email", "eva@example.org", "--organisation", "norrby")
    assert User.objects.filter(email="eva@example.org").count() == 1
    assert OneTimeLink.objects.count() == 2
    user = User.objects.get(email="eva@example.org")
    with scoped(organisation_ids_of_user(user)):
        assert Membership.objects.filter(user=user).count() == 1


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--email", "not an address"], "address"),
        (["--email", "a@example.org", "--organisation", "nowhere"], "nowhere"),
        (["--email", "a@example.org", "--role", "king"], "king"),
    ],
)
def test_a_wrong_argument_is_told(arguments: list[str], match: str) -> None:
    with pytest.raises(CommandError, match=match):
        _call("one_time_link", *arguments)
    assert OneTimeLink.objects.count() == 0


def test_a_new_organisation_is_seen_by_its_own_scope_only(db: Any) -> None:
    norrby, soderby = make_tenant("norrby"), make_tenant("soderby")
    with norrby.scope():
        assert list(Organisation.objects.all()) == [norrby.organisation]
        assert not Site.objects.for_organisation(soderby.organisation).exists()
