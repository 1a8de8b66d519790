"""Roles are sets of permissions."""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _

from admin_site.core.permissions import Permission

P = Permission


class Role(models.TextChoices):
    OPERATOR = "operator", _("Operator")
    ORGANISATION_ADMIN = "organisation_admin", _("Organisation admin")
    IT_TECHNICIAN = "it_technician", _("IT technician")
    FRONT_DESK = "front_desk", _("Front desk")
    AUDITOR = "auditor", _("Auditor")


_VIEWS = frozenset(
    {P.SITE_VIEW, P.COMPUTER_VIEW, P.SCRIPT_VIEW, P.RUN_VIEW, P.POLICY_VIEW}
)
_TECHNICAL = _VIEWS | {
    P.COMPUTER_ENROL,
    P.COMPUTER_REVOKE,
    P.RUN_CREATE,
    P.RUN_CANCEL,
    P.POLICY_EDIT,
}

ORGANISATION_WIDE = frozenset({P.AUDIT_READ})
"""What shows or changes the whole organisation: a role at one site does not give it."""

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OPERATOR: _TECHNICAL,
    Role.ORGANISATION_ADMIN: _TECHNICAL | {P.AUDIT_READ},
    Role.IT_TECHNICIAN: _TECHNICAL,
    Role.FRONT_DESK: frozenset({P.SITE_VIEW, P.COMPUTER_VIEW}),
    Role.AUDITOR: _VIEWS | {P.AUDIT_READ},
}
