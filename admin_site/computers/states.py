"""States of a computer and of an enrolment, as tables."""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _


class ComputerStatus(models.TextChoices):
    PENDING = "pending", _("Waiting for approval")
    APPROVED = "approved", _("Approved")
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")
    OUT_OF_SERVICE = "out_of_service", _("Out of service")
    REVOKED = "revoked", _("Revoked")
    RETIRED = "retired", _("Retired")


S = ComputerStatus
_ENDS = frozenset({S.REVOKED, S.RETIRED})

COMPUTER_TRANSITIONS: Mapping[ComputerStatus, frozenset[ComputerStatus]] = {
    S.PENDING: frozenset({S.APPROVED}) | _ENDS,
    S.APPROVED: frozenset({S.ACTIVE, S.SUSPENDED, S.OUT_OF_SERVICE}) | _ENDS,
    S.ACTIVE: frozenset({S.SUSPENDED, S.OUT_OF_SERVICE}) | _ENDS,
    S.SUSPENDED: frozenset({S.ACTIVE}) | _ENDS,
    S.OUT_OF_SERVICE: frozenset({S.ACTIVE}) | _ENDS,
    S.REVOKED: frozenset(),
    S.RETIRED: frozenset(),
}

MANAGED = frozenset({S.APPROVED, S.ACTIVE, S.SUSPENDED, S.OUT_OF_SERVICE})
"""Those that have a desired state and may lease jobs."""


class EnrolmentState(models.TextChoices):
    PENDING = "pending", _("Waiting")
    APPROVED = "approved", _("Approved")
    REFUSED = "refused", _("Refused")
    EXPIRED = "expired", _("Expired")


E = EnrolmentState
ENROLMENT_TRANSITIONS: Mapping[EnrolmentState, frozenset[EnrolmentState]] = {
    E.PENDING: frozenset({E.APPROVED, E.REFUSED, E.EXPIRED}),
    E.APPROVED: frozenset(),
    E.REFUSED: frozenset(),
    E.EXPIRED: frozenset(),
}
