"""Texts of the settings' schemas, in the language of the page."""

import gettext
from functools import cache

from django.utils.translation import get_language

from client_agent.settings import LOCALE_DIRECTORY, LOCALE_DOMAIN, SCHEMAS


def setting_text(message: str) -> str:
    """`message`, a msgid of a setting's schema, translated."""
    return _catalogue(get_language() or "en").gettext(message) if message else ""


def setting_title(slug: str) -> str:
    """Title of a setting; its slug where the portal is older than the computer."""
    schema = SCHEMAS.get(slug)
    return setting_text(schema.title) if schema else slug


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(
        LOCALE_DOMAIN, str(LOCALE_DIRECTORY), languages=[language], fallback=True
    )
