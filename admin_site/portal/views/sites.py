"""Where people arrive: their sites, and their language."""

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from admin_site.accounts.language import remember_language
from admin_site.accounts.models import User
from admin_site.accounts.services import choose_user_language
from admin_site.core.permissions import Access
from admin_site.core.tenancy import scoped
from admin_site.portal.links import site_url
from admin_site.portal.pages import WRITING, open_page
from admin_site.tenancy.access import organisation_ids_of_user
from admin_site.tenancy.models import Site


def _sites_of(request: HttpRequest) -> list[Site]:
    user = cast(User, request.user)
    with scoped(organisation_ids_of_user(user)):
        return list(
            Site.objects.for_user(user)
            .select_related("organisation")
            .order_by("organisation__name", "name", "code")
        )


@open_page(Access.SIGNED_IN)
def home(request: HttpRequest) -> HttpResponse:
    """The only site, or a choice of sites."""
    sites = _sites_of(request)
    if len(sites) == 1:
        return redirect(site_url(sites[0], "today"))
    return redirect("portal:sites")


@open_page(Access.SIGNED_IN)
def site_list(request: HttpRequest) -> HttpResponse:
    """All sites of the person, by organisation."""
    sites = [(each, site_url(each, "today")) for each in _sites_of(request)]
    return render(request, "portal/sites.html", {"sites": sites})


@open_page(Access.PUBLIC, methods=WRITING)
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keep the chosen language for this browser and, signed in, for the person."""
    there = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        there, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        there = "/"
    response = redirect(there)
    language = request.POST.get("language", "")
    if remember_language(response, language) and request.user.is_authenticated:
        choose_user_language(user=request.user, language=language)
    return response
