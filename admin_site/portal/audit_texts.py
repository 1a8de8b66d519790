"""Words for what the audit log tells."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from admin_site.audit.models import AuditEvent
from admin_site.portal.setting_texts import setting_title

ACTIONS: dict[str, Promise] = {
    "audit.exported": gettext_lazy("Audit log downloaded"),
    "audit.purged": gettext_lazy("Old audit events deleted"),
    "computer.approved": gettext_lazy("Computer approved"),
    "computer.revoked": gettext_lazy("Computer revoked"),
    "enrolment.expired": gettext_lazy("Enrolment expired"),
    "enrolment.refused": gettext_lazy("Enrolment refused"),
    "enrolment.requested": gettext_lazy("Enrolment requested"),
    "enrolment_token.issued": gettext_lazy("Enrolment token made"),
    "enrolment_token.revoked": gettext_lazy("Enrolment token revoked"),
    "member.added": gettext_lazy("Role given to a person"),
    "one_time_link.made": gettext_lazy("One-time link made"),
    "organisation.created": gettext_lazy("Organisation created"),
    "policy.changed": gettext_lazy("Settings changed"),
    "run.cancelled": gettext_lazy("Run cancelled"),
    "run.created": gettext_lazy("Script run ordered"),
    "signing_key.made": gettext_lazy("Signing key made"),
    "site.created": gettext_lazy("Site created"),
}

_FIELDS: dict[str, Promise] = {
    "action": gettext_lazy("What happened"),
    "arguments": gettext_lazy("What it was told"),
    "blocks": gettext_lazy("Blocks"),
    "code": gettext_lazy("Code"),
    "computer": gettext_lazy("Computer"),
    "computers": gettext_lazy("Computers"),
    "events": gettext_lazy("Events"),
    "expires_at": gettext_lazy("Valid until"),
    "host_name": gettext_lazy("Name on the network"),
    "jobs": gettext_lazy("Jobs"),
    "language": gettext_lazy("Language"),
    "name": gettext_lazy("Name"),
    "q": gettext_lazy("Search"),
    "role": gettext_lazy("Role"),
    "script": gettext_lazy("Script"),
    "since": gettext_lazy("From"),
    "site": gettext_lazy("Site"),
    "slug": gettext_lazy("Short name"),
    "state": gettext_lazy("State"),
    "status": gettext_lazy("State"),
    "time_zone": gettext_lazy("Time zone"),
    "token": gettext_lazy("Enrolment token"),
    "until": gettext_lazy("To"),
    "up_to": gettext_lazy("Up to"),
    "uses_left": gettext_lazy("Uses left"),
    "version": gettext_lazy("Version"),
}

_ABSENT: Any = object()


@dataclass(frozen=True)
class Change:
    """One thing that a deed changed; a side is empty where there was nothing."""

    name: str
    before: str
    after: str


def action_text(code: str) -> str:
    """What happened, in words; the code itself where there are none."""
    return str(ACTIONS.get(code, code))


def actor_text(event: AuditEvent) -> str:
    """Who did it."""
    if event.actor_kind == "system":
        return _("The portal (%(name)s)") % {"name": event.actor_name}
    if event.actor_kind == "computer":
        return _("Computer %(name)s") % {"name": event.actor_name}
    return event.actor_name


def actions_that_say(words: str) -> list[str]:
    """Codes of the actions whose words contain `words`, in the page's language."""
    wanted = words.casefold()
    return [code for code, text in ACTIONS.items() if wanted in str(text).casefold()]


def changes_of(event: AuditEvent) -> Iterator[Change]:
    """What differs between before and after, by name."""
    for name in sorted({*event.before, *event.after}):
        before = event.before.get(name, _ABSENT)
        after = event.after.get(name, _ABSENT)
        if before != after:
            title = str(_FIELDS[name]) if name in _FIELDS else setting_title(name)
            yield Change(title, _shown(before), _shown(after))


def _shown(value: Any) -> str:
    if value is _ABSENT or value is None:
        return ""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)
