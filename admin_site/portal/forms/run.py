"""The form that orders a run: which computers, with what arguments."""

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from admin_site.computers.models import Computer
from admin_site.computers.selectors import managed_computers_of_site
from admin_site.portal.forms.arguments import ArgumentsForm
from admin_site.tenancy.models import Site

CHOSEN = "computers"
WHOLE_SITE = "site"


class RunForm(ArgumentsForm):
    """Computers are looked up among those of the site; others do not exist.

    `request_id` is made with the empty form, so that a second click orders nothing.
    """

    target = forms.ChoiceField(
        label=_("Run on"),
        choices=[
            (CHOSEN, _("the computers that I choose")),
            (WHOLE_SITE, _("all computers of the site")),
        ],
        widget=forms.RadioSelect,
        initial=CHOSEN,
    )
    computers = forms.ModelMultipleChoiceField(
        label=_("Computers"),
        queryset=Computer.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": _("One of these computers is no longer there."),
            "invalid_pk_value": _("One of these computers is no longer there."),
        },
    )
    request_id = forms.UUIDField(initial=uuid.uuid4, widget=forms.HiddenInput)

    def __init__(self, *args: Any, site: Site, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.at_hand: QuerySet[Computer] = managed_computers_of_site(site)
        chosen = self.fields["computers"]
        chosen.queryset = self.at_hand  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        is_empty = not (cleaned.get("computers") or self.has_error("computers"))
        if cleaned.get("target") == CHOSEN and is_empty:
            self.add_error("computers", _("Choose at least one computer."))
        return cleaned

    def chosen_computers(self) -> Sequence[Computer]:
        """The computers that the valid form names."""
        if self.cleaned_data["target"] == WHOLE_SITE:
            return list(self.at_hand)
        return list(self.cleaned_data["computers"])
