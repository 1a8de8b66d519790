"""One value against one parameter: the check for each type.

Each check gets a value that is neither ``None`` nor the empty string, and returns its
normal form, which the same check returns unchanged; ``None`` stands for a value that
turns out to be empty.
"""

import datetime
import ipaddress
import re
import unicodedata
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from client_agent.protocol.types import Json
from scripts import parameters as kinds
from scripts.parameters import LANGUAGES, Parameter

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?P<host>[A-Za-z0-9.-]+)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_QUEUE_NAME = re.compile(r"[^/#\s]{1,127}")
_HOST_NAME_LENGTH = 253
_EMAIL_LENGTH = 254
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, halves of a surrogate pair, line and paragraph separators."""

_FILE_NAME_LENGTH = 255


class Refused(Exception):
    """Inside this package only: `code` is one of ``ArgumentCode``."""

    def __init__(self, code: str, **bounds: Json) -> None:
        super().__init__(code)
        self.code = code
        self.bounds = bounds


def checked_value(parameter: Parameter, given: Json) -> Json:
    """Return the normal form of `given`, ``None`` when it holds nothing.

    Raises:
        Refused: `parameter` does not allow it.
    """
    return _CHECKS[type(parameter)](parameter, given)


def _string(parameter: kinds.StringParameter, given: Json) -> str:
    text = _one_line(given)
    _within_length(text, parameter.min_length, parameter.max_length)
    if parameter.pattern and not re.fullmatch(parameter.pattern, text):
        raise Refused("bad-pattern", pattern=parameter.pattern)
    return text


def _text(parameter: kinds.TextParameter, given: Json) -> str:
    text = _printable(given, also="\n\t")
    _within_length(text, parameter.min_length, parameter.max_length)
    return text


def _integer(parameter: kinds.IntegerParameter, given: Json) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise Refused("wrong-type")
    if not parameter.minimum <= given <= parameter.maximum:
        raise Refused(
            "out-of-bounds", minimum=parameter.minimum, maximum=parameter.maximum
        )
    return given


def _boolean(parameter: kinds.BooleanParameter, given: Json) -> bool:
    if not isinstance(given, bool):
        raise Refused("wrong-type")
    return given


def _date(parameter: kinds.DateParameter, given: Json) -> str:
    text = _one_line(given)
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        datetime.date.fromisoformat(text)
    except ValueError as error:
        raise Refused("bad-format") from error
    return _in_range(text, parameter.minimum, parameter.maximum)


def _time(parameter: kinds.TimeParameter, given: Json) -> str:
    text = _one_line(given)
    if not _CLOCK_TIME.fullmatch(text):
        raise Refused("bad-format")
    return _in_range(text, parameter.minimum, parameter.maximum)


def _choice(parameter: kinds.ChoiceParameter, given: Json) -> str:
    text = _one_line(given)
    if text not in {choice.value for choice in parameter.choices}:
        raise Refused("unknown-choice")
    return text


def _multi_choice(parameter: kinds.MultiChoiceParameter, given: Json) -> Json:
    if not isinstance(given, list):
        raise Refused("wrong-type")
    chosen = {_one_line(value) for value in given}
    values = [choice.value for choice in parameter.choices]
    if not chosen <= set(values):
        raise Refused("unknown-choice")
    if len(chosen) < parameter.min_count:
        raise Refused("too-few", minimum=parameter.min_count)
    if len(chosen) > parameter.max_count:
        raise Refused("too-many", maximum=parameter.max_count)
    return [value for value in values if value in chosen] or None


def _file(parameter: kinds.FileParameter, given: Json) -> Json:
    if not isinstance(given, dict) or set(given) != {"name", "sha256", "size_bytes"}:
        raise Refused("wrong-type")
    name, digest, size = (given[key] for key in ("name", "sha256", "size_bytes"))
    _within_length(_one_line(name), 1, _FILE_NAME_LENGTH)
    if "/" in name or name in (".", ".."):
        raise Refused("bad-character")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise Refused("bad-format")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise Refused("wrong-type")
    if size > parameter.max_bytes:
        raise Refused("too-large", maximum=parameter.max_bytes)
    extension = name.rpartition(".")[2].lower()
    if parameter.extensions and extension not in parameter.extensions:
        raise Refused("wrong-file-type", extensions=list(parameter.extensions))
    return {"name": name, "sha256": digest, "size_bytes": size}


def _secret(parameter: kinds.SecretParameter, given: Json) -> str:
    text = _printable(given, also="\n\t")
    _within_length(text, parameter.min_length, parameter.max_length)
    return text


def _url(parameter: kinds.UrlParameter, given: Json) -> str:
    text = _one_line(given)
    _within_length(text, 1, parameter.max_length)
    try:
        parts = urlsplit(text)
        host, _port, password = parts.hostname, parts.port, parts.password
    except ValueError as error:
        raise Refused("bad-format") from error
    if not host or password is not None or any(sign.isspace() for sign in text):
        raise Refused("bad-format")
    if parts.scheme not in parameter.schemes:
        raise Refused("unknown-choice", choices=list(parameter.schemes))
    return text


def _email(parameter: kinds.EmailParameter, given: Json) -> str:
    text = _one_line(given)
    _within_length(text, 3, _EMAIL_LENGTH)
    match = _EMAIL.fullmatch(text)
    if match is None or not _HOST_NAME.fullmatch(match["host"].lower()):
        raise Refused("bad-format")
    return text


def _host(parameter: kinds.HostParameter, given: Json) -> str:
    text = _one_line(given).lower()
    _within_length(text, 1, _HOST_NAME_LENGTH)
    if _HOST_NAME.fullmatch(text) and not text.replace(".", "").isdigit():
        return text
    try:
        if "%" in text:
            raise ValueError("a zone means nothing on another computer")
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise Refused("bad-format") from error


def _printer(parameter: kinds.PrinterParameter, given: Json) -> str:
    text = _one_line(given)
    if not _QUEUE_NAME.fullmatch(text):
        raise Refused("bad-pattern", pattern=_QUEUE_NAME.pattern)
    return text


def _group(parameter: kinds.GroupParameter, given: Json) -> str:
    text = _one_line(given)
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise Refused("bad-format") from error


def _localised_text(parameter: kinds.LocalisedTextParameter, given: Json) -> Json:
    if isinstance(given, str):
        given = dict.fromkeys(LANGUAGES, given)
    if not isinstance(given, dict):
        raise Refused("wrong-type")
    if not set(given) <= set(LANGUAGES):
        raise Refused("unknown-language", languages=list(LANGUAGES))
    texts = {}
    for language in LANGUAGES:
        text = _printable(given.get(language, ""), also="\n")
        _within_length(text, 0, parameter.max_length)
        if text.strip():
            texts[language] = text
    return texts or None


def _one_line(given: Any) -> str:
    return _printable(given, also="")


def _printable(given: Any, *, also: str) -> str:
    if not isinstance(given, str):
        raise Refused("wrong-type")
    for sign in given:
        if sign not in also and unicodedata.category(sign) in _UNPRINTABLE:
            raise Refused("bad-character")
    return given


def _within_length(text: str, shortest: int, longest: int) -> None:
    if len(text) < shortest:
        raise Refused("too-short", minimum=shortest)
    if len(text) > longest:
        raise Refused("too-long", maximum=longest)


def _in_range(text: str, lowest: str | None, highest: str | None) -> str:
    # ISO dates and clock times of one form sort like the moments they name.
    if (lowest and text < lowest) or (highest and text > highest):
        raise Refused("out-of-bounds", minimum=lowest, maximum=highest)
    return text


_CHECKS: dict[type, Callable[[Any, Json], Json]] = {
    kinds.StringParameter: _string,
    kinds.TextParameter: _text,
    kinds.IntegerParameter: _integer,
    kinds.BooleanParameter: _boolean,
    kinds.DateParameter: _date,
    kinds.TimeParameter: _time,
    kinds.ChoiceParameter: _choice,
    kinds.MultiChoiceParameter: _multi_choice,
    kinds.FileParameter: _file,
    kinds.SecretParameter: _secret,
    kinds.UrlParameter: _url,
    kinds.EmailParameter: _email,
    kinds.HostParameter: _host,
    kinds.PrinterParameter: _printer,
    kinds.GroupParameter: _group,
    kinds.LocalisedTextParameter: _localised_text,
}
