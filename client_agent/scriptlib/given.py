"""What a script was given: its arguments and its secrets."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from client_agent.protocol import limits
from client_agent.protocol.types import Json
from client_agent.scriptlib.output import REFUSED, fail, say
from client_agent.scriptlib.paths import read_text
from scripts.arguments import ArgumentErrors, check_arguments
from scripts.parameters import (
    BooleanParameter,
    IntegerParameter,
    LocalisedTextParameter,
    Parameter,
    StringParameter,
    Texts,
)


def integer(
    name: str, *, minimum: int, maximum: int, default: int | None = None
) -> Parameter:
    """A whole number; required when there is no default."""
    return IntegerParameter(
        **_described(name, default), minimum=minimum, maximum=maximum
    )


def boolean(name: str, *, default: bool) -> Parameter:
    return BooleanParameter(**_described(name, default))


def string(name: str, *, max_length: int, default: str | None = None) -> Parameter:
    """One line; required when there is no default."""
    return StringParameter(**_described(name, default), max_length=max_length)


def localised_text(
    name: str, *, max_length: int, default: dict[str, str] | None = None
) -> Parameter:
    """Language to text; required when there is no default."""
    return LocalisedTextParameter(**_described(name, default), max_length=max_length)


def parameters(*definitions: Parameter) -> dict[str, Any]:
    """The arguments, checked and in their normal form, defaults filled in.

    They come as named options (``--name value``), or else as a JSON object on
    standard input; no input is an empty object. Ends the script with status 2 and
    ``arguments-invalid`` when `definitions` do not allow them.
    """
    raw = _from_options(definitions, sys.argv[1:]) if sys.argv[1:] else _from_input()
    try:
        return check_arguments(definitions, raw)
    except ArgumentErrors as error:
        for refused in error.errors:
            say(f"{refused.parameter}: {refused.code.value}")
        fail(error.code, "the arguments are not what this script takes", status=REFUSED)


def secret(name: str) -> str:
    """The secret `name`, which must never be printed or put into a command line.

    Source: systemd.exec(5), ``CREDENTIALS_DIRECTORY``.
    """
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
    value = read_text(Path(directory) / name) if directory else ""
    if not value:
        fail("secret-missing", f"the secret {name} was not given", status=REFUSED)
    return value


def _described(name: str, default: Any) -> dict[str, Any]:
    # What people read about a parameter stands in script.toml and nowhere else.
    texts = Texts(en=name, da=name, sv=name)
    return {
        "name": name,
        "title": texts,
        "help": texts,
        "default": default,
        "required": default is None,
    }


def _from_input() -> dict[str, Json]:
    if sys.stdin is None or sys.stdin.isatty():
        return {}
    content = sys.stdin.buffer.read(limits.BODY_BYTES + 1)
    if not content.strip():
        return {}
    try:
        if len(content) > limits.BODY_BYTES:
            raise ValueError("more than one mebibyte")
        given = json.loads(content)
    except (ValueError, RecursionError):
        fail("input-invalid", "standard input is not JSON", status=REFUSED)
    if not isinstance(given, dict):
        fail("input-invalid", "standard input is not a JSON object", status=REFUSED)
    return given


def _from_options(
    definitions: Iterable[Parameter], options: Sequence[str]
) -> dict[str, Json]:
    strings = {
        definition.name
        for definition in definitions
        if isinstance(definition, (StringParameter, LocalisedTextParameter))
    }
    given: dict[str, Json] = {}
    words = list(options)
    while words:
        option = words.pop(0)
        name, separator, value = option.partition("=")
        if not option.startswith("--") or (not separator and not words):
            fail("input-invalid", f"{option} has no value", status=REFUSED)
        if not separator:
            value = words.pop(0)
        name = name[2:]
        given[name] = value if name in strings else _typed(value)
    return given


def _typed(value: str) -> Json:
    try:
        typed: Json = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return typed
