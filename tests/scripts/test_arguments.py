"""Properties of the check of arguments, over all types of parameters."""

import re
import string
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts import parameters as kinds
from scripts.arguments import (
    ArgumentCode,
    ArgumentError,
    ArgumentErrors,
    check_arguments,
    secret_names,
)
from scripts.parameters import Choice, Parameter, Texts

TEXTS = Texts(en="x", da="x", sv="x")
CHOICES = [Choice(value=value, label=TEXTS) for value in ("red", "green", "blue")]
DIGEST = "0" * 64


def make(kind: type[Any], **bounds: Any) -> Any:
    return kind(name="p", title=TEXTS, help=TEXTS, **bounds)


def numbers(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    pair = st.tuples(st.integers(low, high), st.integers(low, high))
    return pair.map(lambda two: (min(two), max(two)))


REQUIRED = st.booleans()
LENGTHS = numbers(0, 30)
DATES = st.dates().map(lambda day: day.isoformat())
TIMES = st.times().map(lambda time: time.isoformat("minutes"))

PARAMETERS: st.SearchStrategy[Parameter] = st.one_of(
    st.builds(
        lambda required, lengths, pattern: make(
            kinds.StringParameter,
            required=required,
            min_length=lengths[0],
            max_length=lengths[1],
            pattern=pattern,
        ),
        REQUIRED,
        LENGTHS,
        st.sampled_from(["", "[a-z]+", r"\d{2,4}|x", "(a)?b"]),
    ),
    st.builds(
        lambda required, lengths, kind: make(
            kind, required=required, min_length=lengths[0], max_length=lengths[1]
        ),
        REQUIRED,
        LENGTHS,
        st.sampled_from([kinds.TextParameter, kinds.SecretParameter]),
    ),
    st.builds(
        lambda required, bounds: make(
            kinds.IntegerParameter,
            required=required,
            minimum=bounds[0],
            maximum=bounds[1],
        ),
        REQUIRED,
        numbers(-50, 50),
    ),
    st.builds(
        lambda low, high: make(kinds.DateParameter, minimum=low, maximum=high),
        st.none() | DATES,
        st.none() | DATES,
    ),
    st.builds(
        lambda low, high: make(kinds.TimeParameter, minimum=low, maximum=high),
        st.none() | TIMES,
        st.none() | TIMES,
    ),
    st.builds(
        lambda required, counts: make(
            kinds.MultiChoiceParameter,
            required=required,
            choices=CHOICES,
            min_count=counts[0],
            max_count=counts[1],
        ),
        REQUIRED,
        numbers(0, 4),
    ),
    st.builds(
        lambda required, length: make(
            kinds.LocalisedTextParameter, required=required, max_length=length
        ),
        REQUIRED,
        st.integers(0, 10),
    ),
    st.builds(
        lambda required, kind: make(kind, required=required),
        REQUIRED,
        st.sampled_from(
            [
                kinds.BooleanParameter,
                kinds.UrlParameter,
                kinds.EmailParameter,
                kinds.HostParameter,
                kinds.PrinterParameter,
                kinds.GroupParameter,
            ]
        ),
    ),
    st.builds(
        lambda required: make(
            kinds.ChoiceParameter, required=required, choices=CHOICES
        ),
        REQUIRED,
    ),
    st.builds(
        lambda size: make(kinds.FileParameter, extensions=["pdf"], max_bytes=size),
        st.integers(1, 100),
    ),
)

ANY_TEXT = st.text(alphabet=st.characters(), max_size=20)
FILES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a.pdf", "A.PDF", "a.exe", "../a.pdf", "", 3]),
        "sha256": st.sampled_from([DIGEST, DIGEST.upper(), "g" * 64, 3]),
        "size_bytes": st.integers(-5, 120) | st.none() | st.booleans(),
    }
)
LIKELY = st.one_of(
    DATES,
    TIMES,
    FILES,
    st.integers(-60, 60),
    st.sampled_from(["red", "abc", "x", "12", "2024-02-30", "24:00", "१२:३०", "b"]),
    st.sampled_from(["https://example.org/a?b", "http://[::1", "ftp://x", "http://"]),
    st.sampled_from(
        ["a@example.org", "@", "EXAMPLE.org", "1.2.3.4", "::1", "fe80::1%a"]
    ),
    st.lists(st.sampled_from(["red", "green", "blue", "pink"]), max_size=5),
    st.dictionaries(st.sampled_from(["en", "da", "sv", "de"]), ANY_TEXT, max_size=4),
    st.uuids().map(str),
    st.uuids().map(lambda value: value.urn),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3)
    ),
    max_leaves=6,
)
VALUES = LIKELY | ANYTHING


def check(
    parameters: list[Parameter], raw: dict[str, Any]
) -> tuple[dict[str, Any], tuple[ArgumentError, ...]]:
    """What is accepted and what is refused; one of the two is empty."""
    try:
        return check_arguments(parameters, raw), ()
    except ArgumentErrors as error:
        return {}, error.errors


@given(PARAMETERS, VALUES)
def test_says_yes_or_gives_codes_and_nothing_else(
    parameter: Parameter, value: Any
) -> None:
    accepted, errors = check([parameter], {"p": value})

    assert set(accepted) <= {"p"}
    assert [error.parameter for error in errors] in ([], ["p"])
    assert all(isinstance(error.code, ArgumentCode) for error in errors)
    assert accepted or errors or not parameter.required


@given(PARAMETERS, VALUES)
def test_what_is_accepted_is_accepted_again_unchanged(
    parameter: Parameter, value: Any
) -> None:
    accepted, errors = check([parameter], {"p": value})

    assert errors or check([parameter], accepted) == (accepted, ())


@given(PARAMETERS, VALUES)
def test_what_is_accepted_lies_within_the_bounds(
    parameter: Parameter, value: Any
) -> None:
    accepted, _errors = check([parameter], {"p": value})

    assert all(is_within(parameter, each) for each in accepted.values())


def is_within(parameter: Any, value: Any) -> bool:
    """The bounds of each type once more, written the other way round."""
    return bool(_BOUNDS.get(type(parameter), _has_no_space)(parameter, value))


def _has_no_space(_parameter: Any, value: Any) -> bool:
    return not set(value) & set(string.whitespace)


def _is_length_allowed(parameter: Any, value: Any) -> bool:
    return len(value) in range(parameter.min_length, parameter.max_length + 1)


def _is_string(parameter: Any, value: Any) -> bool:
    matches = re.fullmatch(parameter.pattern or ".*", value) is not None
    return matches and _is_length_allowed(parameter, value)


def _is_moment(parameter: Any, value: Any) -> bool:
    low = parameter.minimum or min(value, "0")
    high = parameter.maximum or max(value, "9999")
    return bool(low <= value <= high)


def _is_selection(parameter: Any, value: Any) -> bool:
    is_in_order = value == [each.value for each in CHOICES if each.value in value]
    return is_in_order and bool(
        parameter.min_count <= len(value) <= parameter.max_count
    )


def _is_file(parameter: Any, value: Any) -> bool:
    is_small = value["size_bytes"] in range(parameter.max_bytes + 1)
    return is_small and re.fullmatch(r"[^/]+\.(pdf|PDF)", value["name"]) is not None


def _is_in_languages(parameter: Any, value: Any) -> bool:
    lengths = [len(text) for text in value.values()]
    are_bounded = all(0 < length <= parameter.max_length for length in lengths)
    return set(value) <= {"en", "da", "sv"} and are_bounded


_BOUNDS: dict[type[Any], Callable[[Any, Any], bool]] = {
    kinds.StringParameter: _is_string,
    kinds.TextParameter: _is_length_allowed,
    kinds.SecretParameter: _is_length_allowed,
    kinds.IntegerParameter: lambda p, value: value in range(p.minimum, p.maximum + 1),
    kinds.BooleanParameter: lambda _p, value: value is True or value is False,
    kinds.DateParameter: _is_moment,
    kinds.TimeParameter: _is_moment,
    kinds.ChoiceParameter: lambda _p, value: value in {"red", "green", "blue"},
    kinds.MultiChoiceParameter: _is_selection,
    kinds.FileParameter: _is_file,
    kinds.GroupParameter: lambda _p, value: str(uuid.UUID(value)) == value,
    kinds.LocalisedTextParameter: _is_in_languages,
}


@given(st.dictionaries(ANY_TEXT, VALUES, max_size=5))
def test_unknown_names_are_refused_by_name(raw: dict[str, Any]) -> None:
    _accepted, errors = check([], raw)

    assert len(errors) == len(raw)
    assert {error.code for error in errors} <= {ArgumentCode.UNKNOWN_PARAMETER}


@pytest.mark.parametrize(
    ("parameter", "value", "code"),
    [
        (make(kinds.StringParameter, required=True), None, "missing"),
        (make(kinds.StringParameter, required=True), "", "missing"),
        (make(kinds.StringParameter), 5, "wrong-type"),
        (make(kinds.StringParameter, max_length=2), "abc", "too-long"),
        (make(kinds.StringParameter, min_length=2), "a", "too-short"),
        (make(kinds.StringParameter, pattern="a+"), "ab", "bad-pattern"),
        (make(kinds.StringParameter), "a\x00b", "bad-character"),
        (make(kinds.StringParameter), "a\ud800", "bad-character"),
        (make(kinds.StringParameter), "a\nb", "bad-character"),
        (make(kinds.TextParameter), "a\rb", "bad-character"),
        (make(kinds.IntegerParameter), True, "wrong-type"),
        (make(kinds.IntegerParameter), 1.0, "wrong-type"),
        (make(kinds.IntegerParameter, minimum=2), 1, "out-of-bounds"),
        (make(kinds.IntegerParameter), 2**53 + 1, "out-of-bounds"),
        (make(kinds.BooleanParameter), "true", "wrong-type"),
        (make(kinds.DateParameter), "2023-02-29", "bad-format"),
        (make(kinds.DateParameter), "20240101", "bad-format"),
        (
            make(kinds.DateParameter, minimum="2024-01-02"),
            "2024-01-01",
            "out-of-bounds",
        ),
        (make(kinds.TimeParameter), "24:00", "bad-format"),
        (make(kinds.TimeParameter, maximum="18:00"), "18:01", "out-of-bounds"),
        (make(kinds.ChoiceParameter, choices=CHOICES), "pink", "unknown-choice"),
        (make(kinds.MultiChoiceParameter, choices=CHOICES), ["pink"], "unknown-choice"),
        (
            make(kinds.MultiChoiceParameter, choices=CHOICES, min_count=2),
            ["red", "red"],
            "too-few",
        ),
        (
            make(kinds.MultiChoiceParameter, choices=CHOICES, max_count=1),
            ["red", "blue"],
            "too-many",
        ),
        (
            make(kinds.MultiChoiceParameter, choices=CHOICES, required=True),
            [],
            "missing",
        ),
        (make(kinds.SecretParameter, max_length=3), "secret", "too-long"),
        (make(kinds.UrlParameter), "example.org", "bad-format"),
        (make(kinds.UrlParameter), "https://a:b@example.org", "bad-format"),
        (make(kinds.UrlParameter), "https://example.org:99999", "bad-format"),
        (make(kinds.UrlParameter), "javascript://x/%0aalert(1)", "unknown-choice"),
        (make(kinds.EmailParameter), "a@b@example.org", "bad-format"),
        (make(kinds.HostParameter), "-a.example.org", "bad-format"),
        (make(kinds.HostParameter), "999.1.1.1", "bad-format"),
        (make(kinds.PrinterParameter), "upper floor", "bad-pattern"),
        (make(kinds.GroupParameter), "everybody", "bad-format"),
        (make(kinds.LocalisedTextParameter), {"de": "Hallo"}, "unknown-language"),
        (make(kinds.LocalisedTextParameter), ["x"], "wrong-type"),
        (make(kinds.LocalisedTextParameter, required=True), {"en": " "}, "missing"),
        (
            make(kinds.FileParameter, max_bytes=9),
            {"name": "a", "sha256": DIGEST, "size_bytes": 10},
            "too-large",
        ),
        (
            make(kinds.FileParameter, extensions=["pdf"]),
            {"name": "a.exe", "sha256": DIGEST, "size_bytes": 1},
            "wrong-file-type",
        ),
        (
            make(kinds.FileParameter),
            {"name": "../a", "sha256": DIGEST, "size_bytes": 1},
            "bad-character",
        ),
    ],
)
def test_each_reason_has_its_code(parameter: Parameter, value: Any, code: str) -> None:
    with pytest.raises(ArgumentErrors) as caught:
        check_arguments([parameter], {"p": value})

    assert [error.code.value for error in caught.value.errors] == [code]


@pytest.mark.parametrize(
    ("parameter", "value", "normal"),
    [
        (make(kinds.HostParameter), "EXAMPLE.org", "example.org"),
        (make(kinds.HostParameter), "2001:DB8:0::1", "2001:db8::1"),
        (
            make(kinds.MultiChoiceParameter, choices=CHOICES),
            ["blue", "red", "blue"],
            ["red", "blue"],
        ),
        (
            make(kinds.LocalisedTextParameter),
            "Hej",
            {"en": "Hej", "da": "Hej", "sv": "Hej"},
        ),
        (make(kinds.LocalisedTextParameter), {"en": "", "da": "Hej"}, {"da": "Hej"}),
        (make(kinds.StringParameter, default="x"), None, "x"),
        (make(kinds.IntegerParameter, default=7), "", 7),
        (make(kinds.BooleanParameter, default=True), False, False),
    ],
)
def test_values_come_out_in_one_form(
    parameter: Parameter, value: Any, normal: Any
) -> None:
    assert check_arguments([parameter], {"p": value}) == {"p": normal}


def test_all_errors_are_told_at_once_in_the_order_of_the_form() -> None:
    parameters: list[Parameter] = [
        kinds.IntegerParameter(name="b", title=TEXTS, help=TEXTS, required=True),
        kinds.BooleanParameter(name="a", title=TEXTS, help=TEXTS),
    ]

    with pytest.raises(ArgumentErrors) as caught:
        check_arguments(parameters, {"z": 1, "a": "no", "y": 2})

    assert [(error.parameter, error.code.value) for error in caught.value.errors] == [
        ("b", "missing"),
        ("a", "wrong-type"),
        ("y", "unknown-parameter"),
        ("z", "unknown-parameter"),
    ]


def test_values_of_secrets_stand_in_no_error() -> None:
    secret = make(kinds.SecretParameter, max_length=3)

    with pytest.raises(ArgumentErrors) as caught:
        check_arguments([secret], {"p": "hunter2"})

    assert "hunter2" not in str(caught.value) + repr(caught.value.errors)
    assert secret_names([secret, make(kinds.TextParameter)]) == {"p"}
