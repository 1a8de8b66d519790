"""What is known of a computer's whereabouts, and the words for it. Pure."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from admin_site.computers.states import ComputerStatus

MISSED_POLLS = 2.5
"""A computer that has not asked for so many intervals is called away."""

_JUST_NOW = timedelta(minutes=1)


class Whereabouts(enum.StrEnum):
    """What a person needs to tell apart at a glance."""

    WAITING = "waiting"
    ON = "on"
    AWAY = "away"
    NEVER_SEEN = "never-seen"
    NOT_IN_USE = "not-in-use"


@dataclass(frozen=True)
class Sighting:
    """One computer at one moment: `words` says it all, `whereabouts` sorts it."""

    whereabouts: Whereabouts
    words: str
    seen_at: datetime | None

    @property
    def is_trouble(self) -> bool:
        """Whether somebody should have a look."""
        return self.whereabouts in (Whereabouts.AWAY, Whereabouts.NEVER_SEEN)


def sighting(
    status: ComputerStatus,
    seen_at: datetime | None,
    *,
    now: datetime,
    poll_seconds: int,
) -> Sighting:
    """Say where a computer stands that was last seen at `seen_at`, if ever.

    A moment in the future counts as this one: clocks of servers differ a little.
    """
    if status is ComputerStatus.PENDING:
        return Sighting(Whereabouts.WAITING, _("Waiting for approval"), seen_at)
    if status in (ComputerStatus.REVOKED, ComputerStatus.RETIRED):
        return Sighting(Whereabouts.NOT_IN_USE, str(status.label), seen_at)
    if seen_at is None:
        words = _("Never seen: check that it is on and connected")
        return Sighting(Whereabouts.NEVER_SEEN, words, None)
    gone_for = max(now - seen_at, timedelta())
    if gone_for <= timedelta(seconds=MISSED_POLLS * poll_seconds):
        return Sighting(Whereabouts.ON, _on_words(gone_for), seen_at)
    words = _("Not seen for %(time)s: check its power") % {"time": spoken(gone_for)}
    return Sighting(Whereabouts.AWAY, words, seen_at)


def spoken(duration: timedelta) -> str:
    """A length of time in its largest whole unit: "20 minutes", "3 days"."""
    seconds = int(duration.total_seconds())
    if seconds < 60:
        return ngettext("%(count)d second", "%(count)d seconds", seconds) % {
            "count": seconds
        }
    minutes = seconds // 60
    if minutes < 60:
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {
            "count": minutes
        }
    hours = minutes // 60
    if hours < 24:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    days = hours // 24
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}


def _on_words(gone_for: timedelta) -> str:
    if gone_for < _JUST_NOW:
        return _("On, seen just now")
    return _("On, seen %(time)s ago") % {"time": spoken(gone_for)}
