"""Forms of the list of computers and of enrolment."""

from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from admin_site.computers.models import Computer
from admin_site.computers.presence import spoken
from admin_site.computers.states import MANAGED, ComputerStatus

MOST_USES = 500

LIFETIMES_DAYS = (1, 3, 7)


class ComputerFilter(forms.Form):
    """Search and filter; what cannot be understood filters nothing."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    status = forms.ChoiceField(
        label=_("Show"),
        required=False,
        choices=[
            ("", _("Computers in use")),
            ("all", _("All computers")),
            *ComputerStatus.choices,
        ],
    )

    def narrowed(self, computers: QuerySet[Computer]) -> QuerySet[Computer]:
        """`computers` that fit what is asked for."""
        self.is_valid()
        status = self.cleaned_data.get("status", "")
        if not status:
            computers = computers.filter(status__in=MANAGED)
        elif status != "all":
            computers = computers.filter(status=status)
        words = self.cleaned_data.get("q", "")
        if words:
            computers = computers.filter(
                Q(name__icontains=words)
                | Q(serial__icontains=words)
                | Q(model__icontains=words)
            )
        return computers

    def is_narrowing(self) -> bool:
        """Whether the person asked for less than what is usually shown."""
        return any(self.cleaned_data.get(name) for name in ("q", "status"))


def _lifetimes() -> list[tuple[int, str]]:
    return [(days, spoken(timedelta(days=days))) for days in LIFETIMES_DAYS]


class TokenForm(forms.Form):
    """How long an enrolment token lives and how many computers it lets in."""

    valid_days = forms.TypedChoiceField(
        label=_("Valid for"), choices=_lifetimes, coerce=int, initial=1
    )
    uses = forms.IntegerField(
        label=_("For how many computers"),
        min_value=1,
        max_value=MOST_USES,
        initial=1,
    )

    def valid_for(self) -> timedelta:
        """The chosen length of life."""
        return timedelta(days=self.cleaned_data["valid_days"])


class ApproveForm(forms.Form):
    """The name that a computer gets when it is let in."""

    name = forms.CharField(label=_("Name"), max_length=100)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["hx-preserve"] = "true"
