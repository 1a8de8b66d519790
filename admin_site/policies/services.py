"""Changing what is wanted at a site."""

from datetime import datetime
from typing import Any

from django.db import transaction

from admin_site.accounts.actors import actor_of
from admin_site.accounts.models import User
from admin_site.audit.services import record
from admin_site.computers.dirty import mark_state_dirty
from admin_site.computers.models import Computer
from admin_site.computers.states import MANAGED
from admin_site.core.permissions import Permission
from admin_site.policies.models import Assignment, Policy, PolicyVersion
from admin_site.policies.selectors import settings_of_site
from admin_site.tenancy.access import require
from admin_site.tenancy.models import Site
from client_agent.settings import SCHEMAS


@transaction.atomic
def set_setting(
    *, site: Site, setting: str, value: dict[str, Any], by: User, now: datetime
) -> None:
    """Want `setting` to be `value` on every computer of `site`.

    Raises:
        NotAllowed: `by` lacks POLICY_EDIT at the site.
        SettingInvalid: the value does not fit the setting's schema.
    """
    require(by, Permission.POLICY_EDIT, at=site)
    schema = SCHEMAS[setting]
    checked = schema.encode(schema.decode(value))
    _write_version(site, {setting: checked}, set(), by, now)


@transaction.atomic
def clear_setting(*, site: Site, setting: str, by: User, now: datetime) -> None:
    """Want nothing of `setting` any more: its effect is undone on the computers.

    Raises:
        NotAllowed: `by` lacks POLICY_EDIT at the site.
    """
    require(by, Permission.POLICY_EDIT, at=site)
    _write_version(site, {}, {setting}, by, now)


def _write_version(
    site: Site, wanted: dict[str, Any], removed: set[str], by: User, now: datetime
) -> None:
    """Write the next version if it differs, and have the site's states compiled."""
    policy = _locked_policy_of(site, now)
    before = settings_of_site(site)
    after = {
        slug: value
        for slug, value in {**before, **wanted}.items()
        if slug not in removed
    }
    if after == before:
        return
    versions = PolicyVersion.objects.for_organisation(site.organisation_id)
    number = versions.filter(policy=policy).count() + 1
    versions.create(
        organisation_id=site.organisation_id,
        policy=policy,
        number=number,
        document=after,
        created_by=by,
        created_at=now,
    )
    record(
        organisation_id=site.organisation_id,
        by=actor_of(by),
        action="policy.changed",
        target=policy,
        before=before,
        after=after,
    )
    computers = Computer.objects.for_site(site).filter(status__in=MANAGED)
    mark_state_dirty(computers, organisation_id=site.organisation_id, now=now)


def _locked_policy_of(site: Site, now: datetime) -> Policy:
    # The site's row serialises two people who save the first policy at once.
    Site.objects.for_organisation(site.organisation_id).select_for_update().get(
        pk=site.pk
    )
    assignment = Assignment.objects.for_site(site).select_related("policy").first()
    if assignment is not None:
        return assignment.policy
    policy = Policy.objects.create(
        organisation_id=site.organisation_id, name=site.name, created_at=now
    )
    Assignment.objects.create(
        organisation_id=site.organisation_id, policy=policy, site=site
    )
    return policy
