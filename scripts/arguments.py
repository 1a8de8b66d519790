"""Whether the arguments given to a script are what its parameters allow.

Pure. The portal asks before it signs a job, the script asks again on the computer
through ``client_agent.scriptlib``.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from client_agent.protocol.types import Json
from scripts.parameters import Parameter, SecretParameter
from scripts.values import Refused, checked_value


class ArgumentCode(str, enum.Enum):
    """Why an argument is refused."""

    MISSING = "missing"
    UNKNOWN_PARAMETER = "unknown-parameter"
    WRONG_TYPE = "wrong-type"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    OUT_OF_BOUNDS = "out-of-bounds"
    BAD_PATTERN = "bad-pattern"
    BAD_FORMAT = "bad-format"
    BAD_CHARACTER = "bad-character"
    UNKNOWN_CHOICE = "unknown-choice"
    UNKNOWN_LANGUAGE = "unknown-language"
    TOO_FEW = "too-few"
    TOO_MANY = "too-many"
    TOO_LARGE = "too-large"
    WRONG_FILE_TYPE = "wrong-file-type"


@dataclass(frozen=True)
class ArgumentError:
    """One refused argument; `bounds` are the numbers or words that its text needs."""

    parameter: str
    code: ArgumentCode
    bounds: Mapping[str, Json] = field(default_factory=dict)


class ArgumentErrors(Exception):
    """Everything that is wrong with the arguments, at most one error a parameter."""

    code = "arguments-invalid"

    def __init__(self, errors: Sequence[ArgumentError]) -> None:
        self.errors = tuple(errors)
        listed = (f"{error.parameter}: {error.code.value}" for error in self.errors)
        super().__init__("; ".join(listed))


def check_arguments(
    parameters: Iterable[Parameter], raw: Mapping[str, Json]
) -> dict[str, Json]:
    """Return the arguments in their normal form, in the order of `parameters`.

    ``None`` and the empty string mean "not given": then the default counts, and
    without one the name is left out. Checking the answer again changes nothing.

    Raises:
        ArgumentErrors: in the order of `parameters`, unknown names last, sorted.
    """
    accepted: dict[str, Json] = {}
    errors: list[ArgumentError] = []
    names = set()
    for parameter in parameters:
        names.add(parameter.name)
        error = _accept(parameter, raw.get(parameter.name), accepted)
        if error is not None:
            errors.append(error)
    errors.extend(
        ArgumentError(name[:64], ArgumentCode.UNKNOWN_PARAMETER)
        for name in sorted(str(name) for name in raw if name not in names)
    )
    if errors:
        raise ArgumentErrors(errors)
    return accepted


def secret_names(parameters: Iterable[Parameter]) -> frozenset[str]:
    """Names whose values must be sealed and taken out of the arguments."""
    return frozenset(
        parameter.name
        for parameter in parameters
        if isinstance(parameter, SecretParameter)
    )


def _accept(
    parameter: Parameter, given: Json, accepted: dict[str, Json]
) -> ArgumentError | None:
    if given is None or given == "":
        given = getattr(parameter, "default", None)
    try:
        value = None if given is None else checked_value(parameter, given)
    except Refused as refused:
        return ArgumentError(parameter.name, ArgumentCode(refused.code), refused.bounds)
    if value is not None:
        accepted[parameter.name] = value
    elif parameter.required:
        return ArgumentError(parameter.name, ArgumentCode.MISSING)
    return None
