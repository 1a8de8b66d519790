"""The form above the audit log."""

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from admin_site.audit.models import AuditEvent
from admin_site.portal.audit_texts import ACTIONS, actions_that_say

# Beyond these a zone's offset can lead out of what a date may be.
_DAYS = (MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31)))


def _actions() -> list[tuple[str, str]]:
    words = sorted((str(text), code) for code, text in ACTIONS.items())
    return [("", str(_("Everything"))), *[(code, text) for text, code in words]]


class AuditFilter(forms.Form):
    """Search and filter; what cannot be understood filters nothing."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    action = forms.ChoiceField(
        label=_("What happened"), required=False, choices=_actions
    )
    since = forms.DateField(
        label=_("From"),
        required=False,
        validators=_DAYS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
    )
    until = forms.DateField(
        label=_("To"),
        required=False,
        validators=_DAYS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
    )

    def narrowed(self, events: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """`events` that fit; days begin and end in the zone of the page."""
        asked = self.asked_for()
        zone = timezone.get_current_timezone()
        if since := asked.get("since"):
            events = events.filter(at__gte=datetime.combine(since, time.min, zone))
        if until := asked.get("until"):
            events = events.filter(at__lte=datetime.combine(until, time.max, zone))
        if action := asked.get("action"):
            events = events.filter(action=action)
        if words := asked.get("q"):
            events = events.filter(
                Q(actor_name__icontains=words)
                | Q(target_name__icontains=words)
                | Q(action__icontains=words)
                | Q(action__in=actions_that_say(words))
            )
        return events

    def asked_for(self) -> dict[str, Any]:
        """What the person filled in and we understand, by name of the field."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}
