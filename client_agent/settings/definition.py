"""What a setting is, apart from the code that applies it."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Generic,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from client_agent.protocol.enrolment import Product
from client_agent.protocol.types import Json

S = TypeVar("S", bound=msgspec.Struct)


def N_(text: str) -> str:
    """Mark `text` for the message catalogue; who shows it translates it."""
    return text


class ChangeClass(str, enum.Enum):
    """How much a change may disturb; all but cosmetic ones roll out in rings."""

    COSMETIC = "cosmetic"
    SERVICE = "service"
    NETWORK = "network"
    SECURITY = "security"


class TakesEffect(str, enum.Enum):
    AT_ONCE = "at-once"
    NEXT_LOGIN = "next-login"
    RESTART = "restart"


class Merge(str, enum.Enum):
    """What a nearer policy's list does to the lists of those farther away."""

    REPLACE = "replace"
    APPEND = "append"
    BY_KEY = "by-key"


@dataclass(frozen=True)
class ListMerge:
    """`key` names the field that tells elements apart, with ``by-key`` only."""

    merge: Merge
    key: str = ""


def list_meta(
    rule: ListMerge,
    *,
    title: str,
    description: str,
    min_length: int = 0,
    max_length: int,
) -> msgspec.Meta:
    """Metadata of a list field, which must say how it is merged."""
    shown = {"x-merge": rule.merge.value}
    if rule.key:
        shown["x-merge-key"] = rule.key
    return msgspec.Meta(
        title=title,
        description=description,
        min_length=min_length,
        max_length=max_length,
        extra={"merge": rule},
        extra_json_schema=shown,
    )


class SettingInvalid(Exception):
    """A setting does not allow a value; `path` is its place, as in ``$.pages[0]``."""

    code = "value-invalid"

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path
        self.detail = detail


@dataclass(frozen=True)
class Field:
    """One field of a setting; `title` and `help` are msgids."""

    name: str
    title: str
    help: str
    merge: ListMerge | None
    is_required: bool


@dataclass(frozen=True)
class SettingSchema(Generic[S]):
    """The portal's half of a setting: from it come form, validation, API and help.

    `title` and `help` are msgids of the catalogue in ``LOCALE_DIRECTORY``.
    """

    slug: str
    struct: type[S]
    title: str
    help: str
    change_class: ChangeClass
    takes_effect: TakesEffect
    products: frozenset[Product]

    @property
    def package(self) -> str:
        """Name of the setting's folder."""
        return self.slug.replace("-", "_")

    def decode(self, value: Json) -> S:
        """Return a JSON value as checked `struct`.

        Raises:
            SettingInvalid: it is not one; nothing else is ever raised.
        """
        try:
            return msgspec.convert(value, type=self.struct)
        except (msgspec.ValidationError, UnicodeError, RecursionError) as error:
            raise _invalid(str(error)) from error

    def encode(self, value: S) -> Json:
        """Return a checked value as JSON."""
        encoded: Json = msgspec.to_builtins(value)
        return encoded

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the value, with titles and help as msgids."""
        return msgspec.json.schema(self.struct)

    def fields(self) -> tuple[Field, ...]:
        """The struct's fields in their order."""
        hints = get_type_hints(self.struct, include_extras=True)
        return tuple(
            _field(info, hints[info.name])
            for info in msgspec.structs.fields(self.struct)
        )

    def merge_rules(self) -> Mapping[str, ListMerge]:
        """By list field, how it is merged; other fields: the nearest wins."""
        return {f.name: f.merge for f in self.fields() if f.merge is not None}


def _invalid(message: str) -> SettingInvalid:
    detail, _, path = message.partition(" - at ")
    detail = detail.partition(" matching regex ")[0]  # the form, unreadable to people
    printable = detail.encode("ascii", "backslashreplace").decode("ascii")
    return SettingInvalid(path.strip("`")[:200] or "$", printable[:400])


def _field(info: msgspec.structs.FieldInfo, hint: Any) -> Field:
    metas = _metas(hint)
    title = next((meta.title for meta in metas if meta.title), "")
    text = next((meta.description for meta in metas if meta.description), "")
    rules = (meta.extra["merge"] for meta in metas if meta.extra)
    return Field(
        name=info.encode_name,
        title=title,
        help=text,
        merge=next(rules, None),
        is_required=info.required,
    )


def _metas(hint: Any) -> list[msgspec.Meta]:
    if get_origin(hint) is Annotated:
        return [meta for meta in get_args(hint) if isinstance(meta, msgspec.Meta)]
    return [meta for part in get_args(hint) for meta in _metas(part)]
