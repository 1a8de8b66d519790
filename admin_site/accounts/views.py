"""Sign-in: allauth's views in our frame, each saying who may reach it."""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account import views as account
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as start_session
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from admin_site.accounts import failures
from admin_site.accounts.language import remember_language
from admin_site.accounts.services import LinkInvalid, use_one_time_link
from admin_site.core import clock
from admin_site.core.limits import LimitReached
from admin_site.core.permissions import Access

View = Callable[..., HttpResponseBase]

FORM = ("GET", "HEAD", "POST")
MINUTE = 60


def _reachable(
    view: Callable[..., Any], access: Access, *, methods: tuple[str, ...] = FORM
) -> View:
    """`view` for whom `access` says; who signs in gets their own language."""
    guarded = login_required(view) if access is Access.SIGNED_IN else view

    @never_cache
    @require_http_methods(list(methods))
    @wraps(view, updated=())
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        was_signed_in = request.user.is_authenticated
        try:
            response: HttpResponseBase = guarded(request, *args, **kwargs)
        except LimitReached as error:
            return too_many_tries(request, seconds=error.seconds)
        if request.user.is_authenticated and not was_signed_in:
            remember_language(response, request.user.language)
        return response

    run.access = run.access_to_post = access  # type: ignore[attr-defined]
    run.methods = methods  # type: ignore[attr-defined]
    return run


def too_many_tries(request: HttpRequest, *, seconds: int = MINUTE) -> HttpResponse:
    """The page that says how long to wait; also for limits of allauth's own."""
    context = {"minutes": math.ceil(seconds / MINUTE)}
    response = render(request, "429.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _one_time_link(request: HttpRequest, secret: str) -> HttpResponse:
    """A page with one button; pressing it signs in.

    Not at once: programs that preview links must not use them up.
    """
    if request.method != "POST":
        return render(request, "account/one_time_link.html")
    attempt = failures.with_link(request)
    try:
        user = use_one_time_link(secret=secret, now=clock.now())
    except LinkInvalid as error:
        context = {"message": error.message}
        return render(request, "account/one_time_link.html", context, status=410)
    attempt.succeeded()
    start_session(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    record_authentication(request, user, method="one-time-link")
    if not user.has_usable_password():
        messages.info(
            request,
            _("You have no password yet. Set one in the menu under your name."),
        )
    return redirect(settings.LOGIN_REDIRECT_URL)


login = _reachable(account.login, Access.PUBLIC)
logout = _reachable(account.logout, Access.PUBLIC)
one_time_link = _reachable(_one_time_link, Access.PUBLIC)
inactive = _reachable(account.account_inactive, Access.PUBLIC, methods=("GET", "HEAD"))
mfa_authenticate = _reachable(mfa.authenticate, Access.PUBLIC)

reauthenticate = _reachable(account.reauthenticate, Access.SIGNED_IN)
password_change = _reachable(account.password_change, Access.SIGNED_IN)
password_set = _reachable(account.password_set, Access.SIGNED_IN)
mfa_index = _reachable(mfa.index, Access.SIGNED_IN, methods=("GET", "HEAD"))
mfa_reauthenticate = _reachable(mfa.reauthenticate, Access.SIGNED_IN)
activate_totp = _reachable(totp.activate_totp, Access.SIGNED_IN)
deactivate_totp = _reachable(totp.deactivate_totp, Access.SIGNED_IN)
view_recovery_codes = _reachable(
    recovery_codes.view_recovery_codes, Access.SIGNED_IN, methods=("GET", "HEAD")
)
generate_recovery_codes = _reachable(
    recovery_codes.generate_recovery_codes, Access.SIGNED_IN
)
download_recovery_codes = _reachable(
    recovery_codes.download_recovery_codes, Access.SIGNED_IN, methods=("GET", "HEAD")
)
