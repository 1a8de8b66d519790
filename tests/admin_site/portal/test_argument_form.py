"""The form that is made from a script's parameters: what it gives, the script takes."""

from typing import Any

import pytest
from django.utils import translation

from admin_site.portal.forms.argument_errors import sentence
from admin_site.portal.forms.arguments import ArgumentsForm, unsupported_parameters
from scripts import parameters as kinds
from scripts.arguments import ArgumentCode, ArgumentError, check_arguments
from scripts.parameters import Choice, Parameter, Texts

TEXTS = Texts(en="Title", da="Titel", sv="Rubrik")
COMMON: dict[str, Any] = {"name": "it", "title": TEXTS, "help": TEXTS}
CHOICES = [Choice("a", TEXTS), Choice("b", TEXTS)]


def form_of(parameter: Parameter, typed: dict[str, Any] | None) -> ArgumentsForm:
    return ArgumentsForm(typed, parameters=[parameter], language="da")


@pytest.mark.parametrize(
    ("parameter", "typed", "argument"),
    [
        (kinds.StringParameter(**COMMON), {"arg-it": " x "}, "x"),
        (kinds.TextParameter(**COMMON), {"arg-it": "a\r\nb"}, "a\nb"),
        (kinds.IntegerParameter(**COMMON), {"arg-it": "-7"}, -7),
        (kinds.BooleanParameter(**COMMON), {"arg-it": "on"}, True),
        (kinds.BooleanParameter(**COMMON, default=True), {}, False),
        (kinds.DateParameter(**COMMON), {"arg-it": "2026-02-28"}, "2026-02-28"),
        (kinds.TimeParameter(**COMMON), {"arg-it": "07:05"}, "07:05"),
        (kinds.ChoiceParameter(**COMMON, choices=CHOICES), {"arg-it": "b"}, "b"),
        (
            kinds.MultiChoiceParameter(**COMMON, choices=CHOICES),
            {"arg-it": ["b", "a"]},
            ["a", "b"],
        ),
        (
            kinds.UrlParameter(**COMMON),
            {"arg-it": "https://example.org/x"},
            "https://example.org/x",
        ),
        (kinds.EmailParameter(**COMMON), {"arg-it": "a@b.example"}, "a@b.example"),
        (
            kinds.HostParameter(**COMMON),
            {"arg-it": "Printer.Example"},
            "printer.example",
        ),
        (kinds.PrinterParameter(**COMMON), {"arg-it": "desk-1"}, "desk-1"),
        (
            kinds.LocalisedTextParameter(**COMMON),
            {"arg-it-en": "hi", "arg-it-da": "", "arg-it-sv": "hej"},
            {"en": "hi", "sv": "hej"},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_typed_becomes_the_argument(
    parameter: Parameter, typed: dict[str, Any], argument: Any
) -> None:
    form = form_of(parameter, typed)
    assert form.is_valid(), form.errors
    arguments = form.cleaned_data["arguments"]
    assert arguments == {"it": argument}
    assert check_arguments([parameter], arguments) == arguments


@pytest.mark.parametrize(
    ("parameter", "typed"),
    [
        (kinds.StringParameter(**COMMON, pattern="[a-z]+"), {"arg-it": "A"}),
        (kinds.StringParameter(**COMMON, required=True), {}),
        (kinds.IntegerParameter(**COMMON, maximum=3), {"arg-it": "4"}),
        (kinds.DateParameter(**COMMON, minimum="2026-01-01"), {"arg-it": "2025-12-31"}),
        (kinds.DateParameter(**COMMON), {"arg-it": "2026-02-30"}),
        (kinds.TimeParameter(**COMMON), {"arg-it": "24:00"}),
        (kinds.ChoiceParameter(**COMMON, choices=CHOICES), {"arg-it": "c"}),
        (kinds.UrlParameter(**COMMON), {"arg-it": "javascript:x"}),
        (kinds.EmailParameter(**COMMON), {"arg-it": "nobody"}),
        (
            kinds.LocalisedTextParameter(**COMMON, required=True),
            {"arg-it-en": " "},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_wrong_is_said_once_beside_the_field(
    parameter: Parameter, typed: dict[str, Any]
) -> None:
    form = form_of(parameter, typed)
    assert not form.is_valid()
    ((name, errors),) = form.errors.items()
    assert name.startswith("arg-it")
    assert len(errors) == 1


def test_defaults_and_texts_are_those_of_the_parameter() -> None:
    parameter = kinds.IntegerParameter(**COMMON, default=30)
    (group,) = form_of(parameter, None).groups()
    assert group.title == "Titel"
    assert group.fields[0].value() == 30


def test_files_secrets_and_groups_have_no_form_yet() -> None:
    without: list[Parameter] = [
        kinds.FileParameter(**COMMON),
        kinds.SecretParameter(**COMMON),
        kinds.GroupParameter(**COMMON),
    ]
    with_form = kinds.StringParameter(**COMMON)
    assert unsupported_parameters([*without, with_form]) == without


@pytest.mark.parametrize("code", ArgumentCode)
@pytest.mark.parametrize("language", ["en", "da", "sv"])
def test_every_refusal_has_a_sentence(code: ArgumentCode, language: str) -> None:
    error = ArgumentError("it", code, {"minimum": 3, "maximum": 9})
    with translation.override(language):
        text = sentence(error)
    assert text
    assert "%(" not in text


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ({"minimum": 3, "maximum": 9}, "Choose a value from 3 to 9."),
        ({"minimum": "07:00", "maximum": None}, "Choose a value from 07:00 on."),
        ({"minimum": None, "maximum": 9}, "Choose a value up to 9."),
    ],
)
def test_bounds_may_be_open(bounds: dict[str, Any], text: str) -> None:
    with translation.override("en"):
        found = sentence(ArgumentError("it", ArgumentCode.OUT_OF_BOUNDS, bounds))
    assert found == text
