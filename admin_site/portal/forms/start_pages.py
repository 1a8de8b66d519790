"""The form of the one setting: pages that the browsers open when they start."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from admin_site.portal.setting_texts import setting_text
from client_agent.settings import SCHEMAS, SettingInvalid

SETTING = "browser-start-pages"
_SCHEMA = SCHEMAS[SETTING]
_INDEX = re.compile(r"^\$\.start_pages\[(\d+)\]")
_ANSWERS: dict[str, bool | None] = {"": None, "yes": True, "no": False}


class StartPagesForm(forms.Form):
    """Fields are the schema's, with its texts; the schema decides what is allowed."""

    start_pages = forms.CharField(
        max_length=20_000,
        widget=forms.Textarea(
            attrs={"rows": 5, "spellcheck": "false", "autocapitalize": "off"}
        ),
    )
    home_page = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.TextInput(attrs={"type": "url"}),
    )
    show_home_button = forms.ChoiceField(
        required=False,
        choices=[
            ("", gettext_lazy("As the browser usually does")),
            ("yes", gettext_lazy("Shown")),
            ("no", gettext_lazy("Hidden")),
        ],
    )

    def __init__(
        self, data: QueryDict | None = None, *, value: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=_initial(value or {}))
        for described in _SCHEMA.fields():
            field = self.fields[described.name]
            field.label = setting_text(described.title)
            field.help_text = setting_text(described.help)
        self.fields["start_pages"].help_text = _("%(help)s Write one on each line.") % {
            "help": self.fields["start_pages"].help_text
        }

    def clean(self) -> dict[str, Any]:
        """Adds ``value``, checked by the schema, to the cleaned data."""
        cleaned = super().clean() or self.cleaned_data
        value: dict[str, Any] = {"start_pages": _lines(cleaned.get("start_pages", ""))}
        if cleaned.get("home_page"):
            value["home_page"] = cleaned["home_page"]
        answer = _ANSWERS[cleaned.get("show_home_button", "")]
        if answer is not None:
            value["show_home_button"] = answer
        try:
            _SCHEMA.decode(value)
        except SettingInvalid as error:
            self._explain(error, value)
        cleaned["value"] = value
        return cleaned

    def _explain(self, error: SettingInvalid, value: Mapping[str, Any]) -> None:
        match = _INDEX.match(error.path)
        if match:
            wrong = value["start_pages"][int(match[1])]
            text = _("%(address)s is not an address that begins with http or https.")
            self.add_error("start_pages", text % {"address": wrong[:100]})
        elif error.path.startswith("$.start_pages"):
            if not self.has_error("start_pages"):
                self.add_error("start_pages", _("Write between 1 and 8 addresses."))
        elif error.path.startswith("$.home_page"):
            text = _("%(address)s is not an address that begins with http or https.")
            wrong = str(value["home_page"])
            self.add_error("home_page", text % {"address": wrong[:100]})
        else:
            self.add_error(None, error.detail)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _initial(value: Mapping[str, Any]) -> dict[str, Any]:
    shown = {True: "yes", False: "no", None: ""}
    return {
        "start_pages": "\n".join(value.get("start_pages", [])),
        "home_page": value.get("home_page") or "",
        "show_home_button": shown[value.get("show_home_button")],
    }
