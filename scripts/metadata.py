"""``script.toml``: what a script is, for people and for programs."""

import enum
import inspect
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from client_agent.protocol.enrolment import Product
from client_agent.protocol.jobs import Risk, RunAs
from client_agent.protocol.types import PositiveSeconds, Slug
from scripts.arguments import ArgumentErrors, check_arguments
from scripts.parameters import Parameter, Texts

Version = Annotated[
    str, Meta(pattern=r"^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$")
]
"""Three numbers; a larger first one means that old arguments no longer fit."""


class Release(str, enum.Enum):
    """Operating systems that computers run (design: session and managed ones)."""

    UBUNTU_22_04 = "ubuntu-22.04"
    UBUNTU_24_04 = "ubuntu-24.04"
    UBUNTU_26_04 = "ubuntu-26.04"
    DEBIAN_12 = "debian-12"
    DEBIAN_13 = "debian-13"


class MetadataError(Exception):
    """`script.toml` is not what it must be; the text names the place in it."""

    code = "metadata-invalid"


class ScriptMetadata(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Everything about a script but its executable.

    `expected_seconds` is what people are told, at `limit_seconds` it is ended.
    `needs_logout` and `needs_restart` say when its effect begins. `undo` is the slug
    of the script that takes the effect back. `needs_agent` is the oldest agent.
    """

    slug: Slug
    category: Slug
    version: Version
    title: Texts
    description: Texts
    products: Annotated[list[Product], Meta(min_length=1)]
    releases: Annotated[list[Release], Meta(min_length=1)]
    risk: Risk
    needs_agent: Version
    expected_seconds: PositiveSeconds
    limit_seconds: PositiveSeconds
    run_as: RunAs = RunAs.ROOT
    is_idempotent: bool = False
    continues_after_restart: bool = False
    needs_logout: bool = False
    needs_restart: bool = False
    undo: Slug | None = None
    parameters: Annotated[list[Parameter], Meta(max_length=50)] = []

    def __post_init__(self) -> None:
        if self.expected_seconds > self.limit_seconds:
            raise ValueError("expected_seconds is above limit_seconds")
        if len({parameter.name for parameter in self.parameters}) < len(
            self.parameters
        ):
            raise ValueError("two parameters have the same name")
        for parameter in self.parameters:
            _refuse_bad_default(parameter)


def read_metadata(path: Path) -> ScriptMetadata:
    """Decode one ``script.toml``.

    Raises:
        MetadataError: it cannot be read or breaks a rule.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=ScriptMetadata)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise MetadataError(f"{path.name}: {error}") from error


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of ``script.toml``, for editors and other programs."""
    schema = msgspec.json.schema(ScriptMetadata)
    for definition in schema["$defs"].values():
        # Newer Pythons take the indentation out of docstrings, older ones do not.
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "script.toml",
        **schema,
    }


def _refuse_bad_default(parameter: Parameter) -> None:
    default = getattr(parameter, "default", None)
    if default is None:
        return
    try:
        check_arguments([parameter], {parameter.name: default})
    except ArgumentErrors as error:
        raise ValueError(f"the default is refused: {error}") from error
    if parameter.required:
        raise ValueError(f"{parameter.name} is required and has a default")
