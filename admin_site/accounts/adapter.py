"""What we say differently from allauth's defaults."""

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from admin_site.accounts import failures
from admin_site.core.crypto import decrypt_for_web, encrypt_for_web

_PLACE = "mfa_authenticator.secret"


class AccountAdapter(DefaultAccountAdapter):
    """People are invited or made by command; nobody signs up by themselves."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def authenticate(
        self, request: HttpRequest, **credentials: Any
    ) -> AbstractBaseUser | None:
        """The person whose password it is; a failure counts.

        Raises:
            LimitReached, RedisError: as in `failures.with_password`.
        """
        attempt = failures.with_password(
            request, email=str(credentials.get("email") or "")
        )
        user: AbstractBaseUser | None = super().authenticate(request, **credentials)
        if user is not None:
            attempt.succeeded()
        return user


class MfaAdapter(DefaultMFAAdapter):
    """Second-factor seeds and recovery codes are encrypted at rest."""

    def encrypt(self, text: str) -> str:
        box = encrypt_for_web(text.encode(), place=_PLACE)
        return base64.b64encode(box).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        box = base64.b64decode(encrypted_text)
        return decrypt_for_web(box, place=_PLACE).decode()
