"""Language of a page: what was chosen last, else the browser's."""

from django.middleware.locale import LocaleMiddleware


class LanguageMiddleware(LocaleMiddleware):
    """Django's choice: the language cookie, then Accept-Language.

    Signing in and the language menu set the cookie from the person's record.
    """
