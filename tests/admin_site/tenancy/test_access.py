"""Who may do what where."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from uuid import UUID

import pytest

from admin_site.accounts.models import User
from admin_site.core.errors import NotAllowed
from admin_site.core.permissions import Permission
from admin_site.core.tenancy import scoped
from admin_site.tenancy.access import (
    organisation_ids_of_user,
    permissions_at,
    require,
)
from admin_site.tenancy.models import Site
from admin_site.tenancy.roles import Role
from admin_site.tenancy.services import add_member
from tests.admin_site.backend_objects import (
    BY,
    Tenant,
    audit_actions,
    last_event,
    make_member,
    make_tenant,
    make_user,
)

pytestmark = pytest.mark.django_db

# Written out, so that widening a role is a change that somebody reviews.
ALLOWED: Mapping[str, str] = {
    "operator": "view enrol revoke scripts runs run cancel policies edit",
    "organisation_admin": (
        "view enrol revoke scripts runs run cancel policies edit audit"
    ),
    "it_technician": "view enrol revoke scripts runs run cancel policies edit",
    "front_desk": "view",
    "auditor": "view scripts runs policies audit",
}
WORDS: Mapping[str, set[str]] = {
    "view": {"site.view", "computer.view"},
    "enrol": {"computer.enrol"},
    "revoke": {"computer.revoke"},
    "scripts": {"script.view"},
    "runs": {"run.view"},
    "run": {"run.create"},
    "cancel": {"run.cancel"},
    "policies": {"policy.view"},
    "edit": {"policy.edit"},
    "audit": {"audit.read"},
}


def _is_allowed(role: Role, permission: Permission) -> bool:
    words = ALLOWED[role.value].split()
    return any(permission.value in WORDS[word] for word in words)


def test_the_table_speaks_of_every_role_and_permission() -> None:
    assert set(ALLOWED) == {role.value for role in Role}
    assert set().union(*WORDS.values()) == {each.value for each in Permission}


@pytest.mark.parametrize("role", Role)
def test_each_role_may_what_the_table_says(role: Role) -> None:
    norrby = make_tenant()
    everywhere = make_member(norrby, role)
    here = make_member(norrby, role, norrby.site)
    with norrby.scope():
        for permission in Permission:
            is_allowed = _is_allowed(role, permission)
            assert _may(everywhere, permission, norrby.site) == is_allowed
            is_allowed_here = is_allowed and permission.value not in WORDS["audit"]
            assert _may(here, permission, norrby.site) == is_allowed_here


def _may(user: User, permission: Permission, site: Site) -> bool:
    try:
        require(user, permission, at=site)
    except NotAllowed:
        return False
    return True


@pytest.mark.parametrize("role", Role)
def test_a_role_at_one_site_is_nothing_at_another(role: Role) -> None:
    norrby = make_tenant()
    user = make_member(norrby, role, norrby.other_site)
    with norrby.scope():
        assert permissions_at(user, norrby.site) == frozenset()
        for permission in Permission:
            assert not _may(user, permission, norrby.site)
        assert list(Site.objects.for_user(user)) == [norrby.other_site]


@pytest.mark.parametrize("role", Role)
def test_a_role_in_one_organisation_is_nothing_in_another(role: Role) -> None:
    norrby, soderby = make_tenant("norrby"), make_tenant("soderby")
    user = make_member(norrby, role)
    with scoped([norrby.id, soderby.id]):
        assert permissions_at(user, soderby.site) == frozenset()
        assert permissions_at(user, norrby.site)
        assert set(Site.objects.for_user(user)) == {norrby.site, norrby.other_site}


def test_several_roles_add_up() -> None:
    norrby = make_tenant()
    user = make_member(norrby, Role.AUDITOR)
    with norrby.scope():
        assert not _may(user, Permission.RUN_CREATE, norrby.site)
        _join(norrby, user, Role.IT_TECHNICIAN, norrby.site)
        assert _may(user, Permission.RUN_CREATE, norrby.site)
        assert not _may(user, Permission.RUN_CREATE, norrby.other_site)
        assert _may(user, Permission.RUN_VIEW, norrby.other_site)


def _join(tenant: Tenant, user: User, role: Role, site: Site | None) -> None:
    add_member(organisation=tenant.organisation, user=user, role=role, site=site, by=BY)


def test_outside_of_the_scope_nobody_may_anything() -> None:
    norrby = make_tenant()
    for permission in Permission:
        with pytest.raises(NotAllowed):
            require(norrby.admin, permission, at=norrby.site)


def test_a_stranger_may_nothing_anywhere() -> None:
    norrby = make_tenant()
    stranger = make_user("charlie")
    with norrby.scope():
        assert permissions_at(stranger, norrby.site) == frozenset()
        assert list(Site.objects.for_user(stranger)) == []


def test_organisations_of_a_person_are_known_without_a_scope() -> None:
    norrby, soderby = make_tenant("norrby"), make_tenant("soderby")
    user = make_member(norrby, Role.AUDITOR, norrby.site)
    assert organisation_ids_of_user(user) == [norrby.id]
    with soderby.scope():
        _join(soderby, user, Role.AUDITOR, None)
        _join(soderby, user, Role.FRONT_DESK, soderby.site)
    assert sorted(organisation_ids_of_user(user)) == sorted([norrby.id, soderby.id])
    assert organisation_ids_of_user(make_user("nobody")) == []


@pytest.mark.parametrize(
    ("role", "is_everywhere"), list(product([Role.AUDITOR, Role.OPERATOR], [0, 1]))
)
def test_a_member_added_twice_is_added_once(role: Role, is_everywhere: int) -> None:
    norrby = make_tenant()
    user = make_user("bob")
    site = None if is_everywhere else norrby.site
    with norrby.scope():
        before = audit_actions().count("member.added")
        _join(norrby, user, role, site)
        _join(norrby, user, role, site)
        assert audit_actions().count("member.added") == before + 1
        event = last_event("member.added")
    assert event.target_id == str(user.pk)
    assert event.after == {
        "role": role.value,
        "site": None if site is None else str(UUID(str(site.pk))),
    }
