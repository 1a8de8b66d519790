"""State machines as tables: the only way in which a status changes."""

from collections.abc import Mapping
from typing import TypeVar

from django.utils.translation import gettext as _

from admin_site.core.errors import TransitionRefused

S = TypeVar("S", bound=str)


def checked_transition(table: Mapping[S, frozenset[S]], *, current: S, to: S) -> S:
    """Return `to` if the table leads there from `current`.

    Raises:
        TransitionRefused: it does not.
    """
    if to not in table[current]:
        raise TransitionRefused(
            _("This is no longer possible: it is %(current)s now.")
            % {"current": str(current)}
        )
    return to
