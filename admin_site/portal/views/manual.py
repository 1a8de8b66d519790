"""The manual, shown in the portal."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language

from admin_site.core.permissions import Access
from admin_site.portal import manual
from admin_site.portal.pages import open_page


@open_page(Access.PUBLIC)
def show(request: HttpRequest, page: str) -> HttpResponse:
    """One page of the manual; who cannot sign in needs it too."""
    if page not in manual.PAGES:
        raise Http404
    text = manual.rendered(page, get_language() or "en")
    context = {"text": text, "title": manual.title_of(text)}
    return render(request, "portal/help.html", context)
