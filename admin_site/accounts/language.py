"""The language of this browser, kept in a cookie that the middleware reads."""

from django.conf import settings
from django.http import HttpResponseBase

_YEAR = 365 * 24 * 3600


def remember_language(response: HttpResponseBase, language: str) -> bool:
    """Set the cookie if the portal speaks `language`; whether it does."""
    if language not in dict(settings.LANGUAGES):
        return False
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=_YEAR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return True
