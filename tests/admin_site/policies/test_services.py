"""Saying what is wanted at a site: versions, audit, and whose computers are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from admin_site.accounts.models import User
from admin_site.computers.models import StateDirty
from admin_site.core.errors import NotAllowed
from admin_site.policies.models import Assignment, Policy, PolicyVersion
from admin_site.policies.selectors import settings_of_site
from admin_site.policies.services import clear_setting, set_setting
from admin_site.tenancy.models import Site
from admin_site.tenancy.roles import Role
from client_agent.settings import SettingInvalid
from tests.admin_site.backend_objects import (
    NOW,
    Tenant,
    audit_actions,
    call_all,
    deferred,
    last_event,
    make_computer,
    make_enrolment,
    make_member,
    make_tenant,
    nothing_changes,
)

SETTING = "browser-start-pages"
VALUE: dict[str, Any] = {"start_pages": ["https://library.example/"]}
STORED = {**VALUE, "home_page": None, "show_home_button": None}


@pytest.fixture
def norrby(db: None) -> Iterator[Tenant]:
    tenant = make_tenant()
    with tenant.scope():
        yield tenant


def _set(tenant: Tenant, value: Any = None, by: User | None = None) -> None:
    set_setting(
        site=tenant.site,
        setting=SETTING,
        value=VALUE if value is None else value,
        by=by or tenant.admin,
        now=NOW,
    )


def _clear(tenant: Tenant, by: User | None = None) -> None:
    clear_setting(site=tenant.site, setting=SETTING, by=by or tenant.admin, now=NOW)


def _numbers() -> list[int]:
    return list(
        PolicyVersion.objects.order_by("number").values_list("number", flat=True)
    )


def test_a_setting_is_kept_in_its_normal_form_and_audited(norrby: Tenant) -> None:
    assert settings_of_site(norrby.site) == {}
    _set(norrby)
    assert settings_of_site(norrby.site) == {SETTING: STORED}
    assert settings_of_site(norrby.other_site) == {}
    event = last_event("policy.changed")
    assert (event.before, event.after) == ({}, {SETTING: STORED})
    assert event.actor_id == str(norrby.admin.pk)


def test_each_change_is_a_version_and_none_is_changed(norrby: Tenant) -> None:
    other = {"start_pages": ["https://other.example/"]}
    for value in (VALUE, other, VALUE):
        _set(norrby, value)
    _clear(norrby)
    assert _numbers() == [1, 2, 3, 4]
    assert settings_of_site(norrby.site) == {}
    first = PolicyVersion.objects.get(number=1)
    assert first.document == {SETTING: STORED}
    assert Policy.objects.count() == Assignment.objects.count() == 1


def test_the_same_again_is_no_version_and_tells_nobody(norrby: Tenant) -> None:
    make_computer(norrby)
    _set(norrby)
    StateDirty.objects.all().delete()
    with nothing_changes():
        _set(norrby)
        _set(norrby, {**VALUE, "home_page": None})
    assert _numbers() == [1]


def test_clearing_what_is_not_wanted_is_no_version(norrby: Tenant) -> None:
    _clear(norrby)
    assert _numbers() == []
    assert "policy.changed" not in audit_actions()
    _set(norrby)
    _clear(norrby)
    with nothing_changes():
        _clear(norrby)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"start_pages": []},
        {"start_pages": ["javascript:alert(1)"]},
        {"start_pages": ["https://user:password@library.example/"]},
        {"start_pages": ["https://library.example/"], "unknown": 1},
        {"start_pages": "https://library.example/"},
        {"start_pages": ["https://library.example/\u0000"]},
        [],
    ],
)
def test_a_value_that_the_schema_refuses_changes_nothing(
    norrby: Tenant, value: Any
) -> None:
    with nothing_changes(), pytest.raises(SettingInvalid):
        _set(norrby, value)


def test_only_who_may_edit_policies_does(norrby: Tenant) -> None:
    _set(norrby)
    for user in (
        make_member(norrby, Role.AUDITOR),
        make_member(norrby, Role.FRONT_DESK),
        make_member(norrby, Role.IT_TECHNICIAN, norrby.other_site),
        make_tenant("soderby").admin,
    ):
        with nothing_changes(), pytest.raises(NotAllowed):
            _set(norrby, {"start_pages": ["https://evil.example/"]}, by=user)
        with nothing_changes(), pytest.raises(NotAllowed):
            _clear(norrby, by=user)


def test_the_managed_computers_of_the_site_are_marked(norrby: Tenant) -> None:
    computer, _device = make_computer(norrby)
    make_enrolment(norrby)
    elsewhere, _device = make_computer(norrby, "pc-2")
    elsewhere.site = norrby.other_site
    elsewhere.save()
    _set(norrby)
    assert [each.computer for each in StateDirty.objects.all()] == [computer]
    assert deferred() == ["desired_state.compile_dirty"]


def test_a_site_without_computers_has_nothing_compiled(norrby: Tenant) -> None:
    _set(norrby)
    assert deferred() == []


@pytest.mark.django_db(transaction=True)
def test_two_people_who_save_the_first_policy_at_once_make_one() -> None:
    norrby = make_tenant()

    def save(number: int) -> None:
        with norrby.scope():
            site = Site.objects.get(pk=norrby.site.pk)
            set_setting(
                site=site,
                setting=SETTING,
                value={"start_pages": [f"https://library.example/{number}"]},
                by=norrby.admin,
                now=NOW,
            )

    call_all([lambda: save(1), lambda: save(2), lambda: save(3)])
    with norrby.scope():
        assert Policy.objects.count() == Assignment.objects.count() == 1
        assert _numbers() == [1, 2, 3]
