"""The catalogue of settings, as far as the portal needs it.

Importing this imports every setting's schema and no handler.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from client_agent.settings.browser_start_pages import schema as browser_start_pages
from client_agent.settings.definition import (
    ChangeClass,
    Field,
    ListMerge,
    Merge,
    SettingInvalid,
    SettingSchema,
    TakesEffect,
)
from client_agent.settings.reasons import REASONS

LOCALE_DIRECTORY = Path(__file__).parent / "locale"
LOCALE_DOMAIN = "citizenpc"

SCHEMAS: Mapping[str, SettingSchema[Any]] = MappingProxyType(
    {
        schema.slug: schema
        for schema in (
            browser_start_pages.SCHEMA,  # one line for each setting
        )
    }
)

__all__ = [
    "LOCALE_DIRECTORY",
    "LOCALE_DOMAIN",
    "REASONS",
    "SCHEMAS",
    "ChangeClass",
    "Field",
    "ListMerge",
    "Merge",
    "SettingInvalid",
    "SettingSchema",
    "TakesEffect",
]
