"""What a script can be told: one struct for each type of parameter.

The structs are the only description of a parameter. ``script.toml`` is decoded into
them, the portal builds its form from them, and ``arguments`` checks values by them.
"""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from client_agent.protocol import limits
from client_agent.protocol.types import Slug

LANGUAGES = ("en", "da", "sv")
WHOLE_NUMBER_LIMIT = 2**53
"""Beyond it a JSON number is not the same number everywhere (RFC 8259, section 6)."""

_Length = Annotated[int, Meta(ge=0, le=4000)]
_WholeNumber = Annotated[int, Meta(ge=-WHOLE_NUMBER_LIMIT, le=WHOLE_NUMBER_LIMIT)]
_Value = Annotated[str, Meta(min_length=1, max_length=200)]
_IsoDate = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
_ClockTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text in each language; none may be blank."""

    en: Annotated[str, Meta(min_length=1, max_length=2000)]
    da: Annotated[str, Meta(min_length=1, max_length=2000)]
    sv: Annotated[str, Meta(min_length=1, max_length=2000)]

    def __post_init__(self) -> None:
        for language in LANGUAGES:
            if not self.in_language(language).strip():
                raise ValueError(f"the text is blank in {language!r}")

    def in_language(self, language: str) -> str:
        """The text in `language`, in English when there is no such language."""
        return str(getattr(self, language if language in LANGUAGES else "en"))


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`value` is what the script gets, `label` what people see."""

    value: _Value
    label: Texts


class _Parameter(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="type",
):
    name: Slug
    title: Texts
    help: Texts
    required: bool = False


class StringParameter(_Parameter, frozen=True, tag="string"):
    """One line. `pattern` has to match the whole value (Python's syntax)."""

    default: str | None = None
    min_length: _Length = 0
    max_length: _Length = 200
    pattern: Annotated[str, Meta(max_length=200)] = ""

    def __post_init__(self) -> None:
        _refuse_empty_range(self.min_length, self.max_length)
        try:
            re.compile(self.pattern)
        except (re.error, OverflowError) as error:
            raise ValueError(f"the pattern is not one: {error}") from error


class TextParameter(_Parameter, frozen=True, tag="text"):
    """Several lines, separated by a line feed."""

    default: str | None = None
    min_length: _Length = 0
    max_length: _Length = 4000

    def __post_init__(self) -> None:
        _refuse_empty_range(self.min_length, self.max_length)


class IntegerParameter(_Parameter, frozen=True, tag="integer"):
    default: int | None = None
    minimum: _WholeNumber = -WHOLE_NUMBER_LIMIT
    maximum: _WholeNumber = WHOLE_NUMBER_LIMIT

    def __post_init__(self) -> None:
        _refuse_empty_range(self.minimum, self.maximum)


class BooleanParameter(_Parameter, frozen=True, tag="boolean"):
    default: bool | None = None


class DateParameter(_Parameter, frozen=True, tag="date"):
    """A day as ``YYYY-MM-DD``; both bounds belong to the range."""

    default: str | None = None
    minimum: _IsoDate | None = None
    maximum: _IsoDate | None = None


class TimeParameter(_Parameter, frozen=True, tag="time"):
    """A time of day as ``HH:MM`` in the site's zone; both bounds belong to it."""

    default: str | None = None
    minimum: _ClockTime | None = None
    maximum: _ClockTime | None = None


class ChoiceParameter(_Parameter, frozen=True, tag="choice"):
    choices: Annotated[list[Choice], Meta(min_length=1, max_length=200)]
    default: str | None = None

    def __post_init__(self) -> None:
        _refuse_repeated_values(self.choices)


class MultiChoiceParameter(_Parameter, frozen=True, tag="multi-choice"):
    """Some of `choices`; the script gets them in the order of `choices`."""

    choices: Annotated[list[Choice], Meta(min_length=1, max_length=200)]
    default: list[str] | None = None
    min_count: _Length = 0
    max_count: _Length = 200

    def __post_init__(self) -> None:
        _refuse_repeated_values(self.choices)
        _refuse_empty_range(self.min_count, self.max_count)


class FileParameter(_Parameter, frozen=True, tag="file"):
    """A stored file: ``{"name", "sha256", "size_bytes"}``.

    `extensions` are lower-case without a dot; none means any.
    """

    extensions: Annotated[
        list[Annotated[str, Meta(pattern="^[a-z0-9]{1,16}$")]], Meta(max_length=50)
    ] = []
    max_bytes: Annotated[int, Meta(ge=1, le=limits.BLOB_BYTES)] = limits.BLOB_BYTES


class SecretParameter(_Parameter, frozen=True, tag="secret"):
    """Sealed to the computer; never among the arguments, in a log or in output."""

    min_length: _Length = 1
    max_length: _Length = 1000

    def __post_init__(self) -> None:
        _refuse_empty_range(self.min_length, self.max_length)


class UrlParameter(_Parameter, frozen=True, tag="url"):
    """An absolute address with a host and without a password in it."""

    default: str | None = None
    schemes: Annotated[
        list[Annotated[str, Meta(pattern="^[a-z][a-z0-9+.-]{0,20}$")]],
        Meta(min_length=1, max_length=10),
    ] = msgspec.field(default_factory=lambda: ["https", "http"])
    max_length: _Length = 2000


class EmailParameter(_Parameter, frozen=True, tag="email"):
    default: str | None = None


class HostParameter(_Parameter, frozen=True, tag="host"):
    """An IP address or a host name (RFC 1123), in lower case."""

    default: str | None = None


class PrinterParameter(_Parameter, frozen=True, tag="printer"):
    """The name of a print queue on the computer.

    Source: lpadmin(8): printable characters except ``/``, ``#`` and space.
    """

    default: str | None = None


class GroupParameter(_Parameter, frozen=True, tag="group"):
    """The uid of one of the site's groups of computers."""


class LocalisedTextParameter(_Parameter, frozen=True, tag="localised-text"):
    """Text for citizens: language to text. A plain text counts for every language."""

    default: dict[str, str] | None = None
    max_length: _Length = 500


Parameter = (
    StringParameter
    | TextParameter
    | IntegerParameter
    | BooleanParameter
    | DateParameter
    | TimeParameter
    | ChoiceParameter
    | MultiChoiceParameter
    | FileParameter
    | SecretParameter
    | UrlParameter
    | EmailParameter
    | HostParameter
    | PrinterParameter
    | GroupParameter
    | LocalisedTextParameter
)


def type_name(parameter: Parameter) -> str:
    """The word for the type of `parameter` in ``script.toml``."""
    return str(parameter.__struct_config__.tag)


def _refuse_empty_range(lowest: int, highest: int) -> None:
    if lowest > highest:
        raise ValueError("nothing lies between the bounds")


def _refuse_repeated_values(choices: list[Choice]) -> None:
    if len({choice.value for choice in choices}) < len(choices):
        raise ValueError("two choices have the same value")
