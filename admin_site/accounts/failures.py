"""Wrong passwords, codes and links: counted per account and per address.

Accounts are counted by what was typed, so one that does not exist is counted the same.
A password and the code after it are counted apart: a right password must not give
whoever knows it new tries at the code.
"""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from admin_site.accounts.models import User
from admin_site.core.addresses import address_of
from admin_site.core.limits import Try, Window, reset, take


@dataclass(frozen=True)
class Attempt:
    """One that counts as a failure until it has succeeded."""

    counted: Try
    account: Window | None

    def succeeded(self) -> None:
        """Count it no longer, and forget the earlier failures of the account."""
        self.counted.give_back()
        if self.account is not None:
            reset(self.account)


def with_password(request: HttpRequest, *, email: str) -> Attempt:
    """Begin an attempt to sign in as `email`.

    Raises:
        LimitReached: there were too many failures.
        RedisError: they cannot be counted now.
    """
    return _begin(request, f"password:{email.strip().lower()}")


def with_code(request: HttpRequest, *, user: User) -> Attempt:
    """Begin an attempt at the second step; errors as in `with_password`."""
    return _begin(request, f"code:{user.pk}")


def with_link(request: HttpRequest) -> Attempt:
    """Begin an attempt with a one-time link; errors as in `with_password`."""
    return Attempt(take(_by_address(request)), None)


def _begin(request: HttpRequest, account: str) -> Attempt:
    by_account = Window(settings.ACCOUNT_FAILURE_LIMIT, account)
    return Attempt(take(by_account, _by_address(request)), by_account)


def _by_address(request: HttpRequest) -> Window:
    return Window(settings.ADDRESS_FAILURE_LIMIT, address_of(request))
