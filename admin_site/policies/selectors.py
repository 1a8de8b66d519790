"""Reading what is wanted where."""

from typing import Any

from admin_site.policies.models import Assignment, PolicyVersion
from admin_site.tenancy.models import Site


def settings_of_site(site: Site) -> dict[str, Any]:
    """Setting slug to value, from the newest version of the site's policy."""
    assignment = Assignment.objects.for_site(site).first()
    if assignment is None:
        return {}
    version = (
        PolicyVersion.objects.for_organisation(site.organisation_id)
        .filter(policy_id=assignment.policy_id)
        .order_by("-number")
        .first()
    )
    return dict(version.document) if version else {}
