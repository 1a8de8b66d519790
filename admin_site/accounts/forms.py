"""allauth's forms for codes, with the failures counted by us."""

from collections.abc import Callable

from allauth.core import context
from allauth.mfa.base import forms

from admin_site.accounts import failures
from admin_site.accounts.models import User


class AuthenticateForm(forms.AuthenticateForm):
    """The second step of signing in."""

    def clean_code(self) -> str:
        return _counted(self.user, super().clean_code)


class ReauthenticateForm(forms.ReauthenticateForm):
    """The same before a change that protects the account."""

    def clean_code(self) -> str:
        return _counted(self.user, super().clean_code)


def _counted(user: User, code: Callable[[], str]) -> str:
    """What `code` returns; a failure unless it does."""
    attempt = failures.with_code(context.request, user=user)
    right = code()
    attempt.succeeded()
    return right
