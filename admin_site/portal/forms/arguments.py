"""The form of a script's arguments, made from its parameters.

The form only turns text into typed values; `scripts.arguments` decides what is
allowed, here as in the service and on the computer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from admin_site.portal.forms.argument_errors import sentence
from client_agent.protocol.types import Json
from scripts import parameters as kinds
from scripts.arguments import ArgumentErrors, check_arguments
from scripts.parameters import LANGUAGES, Parameter

PREFIX = "arg-"
_NOT_IN_FORMS = (kinds.FileParameter, kinds.SecretParameter, kinds.GroupParameter)


@dataclass(frozen=True)
class ArgumentGroup:
    """The fields of one parameter; more than one stand in a fieldset."""

    title: str
    help: str
    fields: Sequence[forms.BoundField]


def unsupported_parameters(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Parameters of a kind for which there is no form: files, secrets and groups."""
    return [each for each in parameters if isinstance(each, _NOT_IN_FORMS)]


class ArgumentsForm(forms.Form):
    """One field for each parameter, one for each language of a localised text."""

    def __init__(
        self, *args: Any, parameters: Sequence[Parameter], language: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.parameters = parameters
        self.language = language
        for parameter in parameters:
            for name, field in _fields_of(parameter, language):
                self.fields[name] = field

    def groups(self) -> Iterator[ArgumentGroup]:
        """The bound fields by parameter, for the template."""
        for parameter in self.parameters:
            names = [name for name, _field in _fields_of(parameter, self.language)]
            yield ArgumentGroup(
                parameter.title.in_language(self.language),
                parameter.help.in_language(self.language),
                [self[name] for name in names],
            )

    def clean(self) -> dict[str, Any]:
        """Adds ``arguments``, checked, to the cleaned data."""
        cleaned = super().clean() or self.cleaned_data
        raw = {
            parameter.name: _raw_value(parameter, cleaned)
            for parameter in self.parameters
        }
        try:
            cleaned["arguments"] = check_arguments(self.parameters, raw)
        except ArgumentErrors as errors:
            for error in errors.errors:
                self._add(error.parameter, sentence(error))
        return cleaned

    def _add(self, parameter: str, message: str | Promise) -> None:
        names = (f"{PREFIX}{parameter}", f"{PREFIX}{parameter}-en")
        name = next((each for each in names if each in self.fields), None)
        if name is None or not self.has_error(name):
            self.add_error(name, str(message))


def _fields_of(
    parameter: Parameter, language: str
) -> Iterator[tuple[str, forms.Field]]:
    name = f"{PREFIX}{parameter.name}"
    if isinstance(parameter, kinds.LocalisedTextParameter):
        for code in LANGUAGES:
            yield (
                f"{name}-{code}",
                forms.CharField(
                    label=dict(settings.LANGUAGES)[code],
                    required=False,
                    max_length=parameter.max_length,
                    initial=(parameter.default or {}).get(code, ""),
                    widget=forms.Textarea(attrs={"rows": 2, "lang": code}),
                ),
            )
        return
    options = {
        "label": parameter.title.in_language(language),
        "help_text": parameter.help.in_language(language),
        "required": parameter.required,
    }
    yield name, _FIELDS[type(parameter)](parameter, language, options)


def _raw_value(parameter: Parameter, cleaned: dict[str, Any]) -> Json:
    name = f"{PREFIX}{parameter.name}"
    if isinstance(parameter, kinds.LocalisedTextParameter):
        texts = {
            code: _one_kind_of_line(cleaned.get(f"{name}-{code}") or "")
            for code in LANGUAGES
        }
        return texts if any(texts.values()) else None
    value = cleaned.get(name)
    if isinstance(value, str):
        return _one_kind_of_line(value)
    if isinstance(parameter, kinds.DateParameter) and value:
        return str(value.isoformat())
    if isinstance(parameter, kinds.TimeParameter) and value:
        return str(value.strftime("%H:%M"))
    return None if value == [] else value


def _one_kind_of_line(text: str) -> str:
    """Browsers send CR LF for the ends of lines."""
    return text.replace("\r\n", "\n")


def _line(kind: str = "text", **attributes: str) -> Callable[..., forms.Field]:
    def make(parameter: Any, language: str, options: dict[str, Any]) -> forms.Field:
        return forms.CharField(
            initial=parameter.default or "",
            max_length=getattr(parameter, "max_length", 255),
            widget=forms.TextInput(attrs={"type": kind, **attributes}),
            **options,
        )

    return make


def _text(parameter: Any, language: str, options: dict[str, Any]) -> forms.Field:
    return forms.CharField(
        initial=parameter.default or "",
        max_length=parameter.max_length,
        widget=forms.Textarea(attrs={"rows": 5}),
        **options,
    )


def _integer(parameter: Any, language: str, options: dict[str, Any]) -> forms.Field:
    limit = kinds.WHOLE_NUMBER_LIMIT
    return forms.IntegerField(
        initial=parameter.default,
        min_value=parameter.minimum if parameter.minimum > -limit else None,
        max_value=parameter.maximum if parameter.maximum < limit else None,
        **options,
    )


def _boolean(parameter: Any, language: str, options: dict[str, Any]) -> forms.Field:
    # A box that is not ticked is an answer too.
    return forms.BooleanField(
        initial=bool(parameter.default), **{**options, "required": False}
    )


def _date(parameter: Any, language: str, options: dict[str, Any]) -> forms.Field:
    return forms.DateField(
        initial=parameter.default,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        **options,
    )


def _time(parameter: Any, language: str, options: dict[str, Any]) -> forms.Field:
    return forms.TimeField(
        initial=parameter.default,
        input_formats=["%H:%M"],
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        **options,
    )


def _choice(parameter: Any, language: str, options: dict[str, Any]) -> forms.Field:
    choices = _labelled(parameter, language)
    if not (parameter.required or parameter.default):
        choices.insert(0, ("", str(_("No choice"))))
    return forms.ChoiceField(choices=choices, initial=parameter.default, **options)


def _choices(parameter: Any, language: str, options: dict[str, Any]) -> forms.Field:
    return forms.MultipleChoiceField(
        choices=_labelled(parameter, language),
        initial=parameter.default or [],
        widget=forms.CheckboxSelectMultiple,
        **options,
    )


def _labelled(parameter: Any, language: str) -> list[tuple[str, str]]:
    return [
        (each.value, each.label.in_language(language)) for each in parameter.choices
    ]


_FIELDS: dict[type, Callable[[Any, str, dict[str, Any]], forms.Field]] = {
    kinds.StringParameter: _line(),
    kinds.TextParameter: _text,
    kinds.IntegerParameter: _integer,
    kinds.BooleanParameter: _boolean,
    kinds.DateParameter: _date,
    kinds.TimeParameter: _time,
    kinds.ChoiceParameter: _choice,
    kinds.MultiChoiceParameter: _choices,
    kinds.UrlParameter: _line("url"),
    kinds.EmailParameter: _line("email"),
    kinds.HostParameter: _line(),
    kinds.PrinterParameter: _line(),
}
