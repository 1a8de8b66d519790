"""What the frame around every page needs. Asks the database nothing."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from admin_site.core.permissions import Permission
from admin_site.portal.links import site_url

LANGUAGE_NAMES = {"da": "Dansk", "en": "English", "sv": "Svenska"}
"""Each in itself, so that who cannot read this page finds the way out."""


@dataclass(frozen=True)
class Place:
    """One entry of the menu; `views` are those that stand below it."""

    name: str
    title: str | Promise
    permission: Permission
    views: frozenset[str]


PLACES = (
    Place("today", _("Today"), Permission.SITE_VIEW, frozenset({"today"})),
    Place(
        "computers",
        _("Computers"),
        Permission.COMPUTER_VIEW,
        frozenset({"computers", "computer", "computer_revoke"}),
    ),
    Place(
        "enrol",
        _("Enrol"),
        Permission.COMPUTER_ENROL,
        frozenset(
            {
                "enrol",
                "token_make",
                "token_revoke",
                "enrolment_approve",
                "enrolment_refuse",
            }
        ),
    ),
    Place(
        "scripts",
        _("Scripts"),
        Permission.SCRIPT_VIEW,
        frozenset({"scripts", "script", "script_run"}),
    ),
    Place(
        "runs",
        _("Runs"),
        Permission.RUN_VIEW,
        frozenset({"runs", "run", "run_cancel"}),
    ),
    Place(
        "start_pages",
        _("Start pages"),
        Permission.POLICY_VIEW,
        frozenset({"start_pages", "start_pages_remove"}),
    ),
    Place("audit", _("Audit log"), Permission.AUDIT_READ, frozenset({"audit"})),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Menu, languages and the page of the manual, for `request`."""
    match = request.resolver_match
    view = match.url_name if match and match.url_name else ""
    return {
        "languages": [(code, LANGUAGE_NAMES[code]) for code, _ in settings.LANGUAGES],
        "current_language": get_language() or settings.LANGUAGE_CODE,
        "page_path": request.get_full_path() if request.method == "GET" else "/",
        "manual_page": manual_page(view),
        **_site_context(request, view),
    }


def manual_page(view: str) -> str:
    """Name of the page of the manual that explains `view`."""
    for place in PLACES:
        if view in place.views:
            return place.name.replace("_", "-")
    return "today" if view in ("home", "sites", "help") else "sign-in"


def _site_context(request: HttpRequest, view: str) -> dict[str, Any]:
    site = getattr(request, "site", None)
    if site is None:
        return {"site": None, "places": [], "can": {}}
    permissions: frozenset[Permission] = getattr(request, "permissions", frozenset())
    places = [
        {
            "title": place.title,
            "url": site_url(site, place.name),
            "is_current": view in place.views,
        }
        for place in PLACES
        if place.permission in permissions
    ]
    return {
        "site": site,
        "places": places,
        "can": {each.name.lower(): each in permissions for each in Permission},
    }
