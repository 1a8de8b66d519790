"""How a view says who may reach it, and where it stands.

Every view of the portal is wrapped by `page` (at a site) or `open_page` (elsewhere);
a test walks the URLconf and fails for one that is not.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from admin_site.accounts.models import User
from admin_site.core.errors import NotAllowed
from admin_site.core.permissions import Access, Permission
from admin_site.core.tenancy import scoped
from admin_site.tenancy.access import organisation_ids_of_user, permissions_at
from admin_site.tenancy.models import Site

P = ParamSpec("P")
View = Callable[..., HttpResponseBase]

READING = ("GET", "HEAD")
WRITING = ("POST",)
FORM = ("GET", "HEAD", "POST")


class SiteRequest(HttpRequest):
    """A request of a person with a role at `site`; what views at a site receive."""

    user: User
    site: Site  # type: ignore[assignment]
    permissions: frozenset[Permission]


def page(
    permission: Permission,
    *,
    methods: tuple[str, ...] = READING,
    to_post: Permission | None = None,
) -> Callable[[Callable[Concatenate[SiteRequest, P], HttpResponseBase]], View]:
    """A view below ``/at/<organisation>/<site>/`` that needs `permission` there.

    Posting needs `to_post`, where that is another one. Anonymous people are sent to
    the sign-in page, strangers get 404, members without the permission 403. Runs in
    the scope of the site's organisation; moments are shown in the site's zone.
    """

    def wrap(view: Callable[Concatenate[SiteRequest, P], HttpResponseBase]) -> View:
        @never_cache
        @require_http_methods(list(methods))
        @login_required
        @wraps(view)
        def run(request: Any, organisation: str, site: str, **kwargs: Any) -> Any:
            with scoped(organisation_ids_of_user(request.user)):
                request.site = get_object_or_404(
                    Site.objects.for_user(request.user).select_related("organisation"),
                    organisation__slug=organisation,
                    code=site,
                )
                with (
                    scoped([request.site.organisation_id]),
                    timezone.override(ZoneInfo(request.site.time_zone)),
                ):
                    request.permissions = permissions_at(request.user, request.site)
                    if _needed(request.method) not in request.permissions:
                        return refused(request)
                    try:
                        return view(request, **kwargs)  # type: ignore[call-arg]
                    except NotAllowed:
                        return refused(request)

        def _needed(method: str | None) -> Permission:
            return to_post if to_post and method == "POST" else permission

        run.access = permission  # type: ignore[attr-defined]
        run.access_to_post = to_post or permission  # type: ignore[attr-defined]
        run.methods = methods  # type: ignore[attr-defined]
        return run

    return wrap


def open_page(
    access: Access, *, methods: tuple[str, ...] = READING
) -> Callable[[Callable[..., HttpResponseBase]], View]:
    """A view that belongs to no site: for everyone, or for whoever is signed in."""

    def wrap(view: Callable[..., HttpResponseBase]) -> View:
        guarded = login_required(view) if access is Access.SIGNED_IN else view

        @never_cache
        @require_http_methods(list(methods))
        @wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return guarded(request, *args, **kwargs)

        run.access = run.access_to_post = access  # type: ignore[attr-defined]
        run.methods = methods  # type: ignore[attr-defined]
        return run

    return wrap


def refused(request: HttpRequest) -> HttpResponse:
    """The page for a member whose role does not allow this."""
    return render(request, "403.html", status=403)
