"""Start pages: the one setting, wanted on all computers of a site."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from admin_site.computers.selectors import managed_computers_of_site
from admin_site.core import clock
from admin_site.core.permissions import Permission
from admin_site.policies.selectors import settings_of_site
from admin_site.policies.services import clear_setting, set_setting
from admin_site.portal.forms.start_pages import SETTING, StartPagesForm
from admin_site.portal.links import site_url
from admin_site.portal.pages import FORM, WRITING, SiteRequest, page


@page(Permission.POLICY_VIEW, methods=FORM, to_post=Permission.POLICY_EDIT)
def edit(request: SiteRequest) -> HttpResponse:
    """Show what is wanted, and save something else."""
    value = settings_of_site(request.site).get(SETTING)
    form = StartPagesForm(
        request.POST if request.method == "POST" else None, value=value
    )
    if request.method == "POST" and form.is_valid():
        set_setting(
            site=request.site,
            setting=SETTING,
            value=form.cleaned_data["value"],
            by=request.user,
            now=clock.now(),
        )
        messages.success(
            request, _("Saved. The computers take it up when they next ask.")
        )
        return redirect(site_url(request.site, "start_pages"))
    context = {
        "form": form,
        "is_set": value is not None,
        "count": managed_computers_of_site(request.site).count(),
    }
    return render(request, "portal/start_pages.html", context)


@page(Permission.POLICY_EDIT, methods=WRITING)
def remove(request: SiteRequest) -> HttpResponse:
    """Want nothing any more: the computers put back what was there before."""
    clear_setting(site=request.site, setting=SETTING, by=request.user, now=clock.now())
    messages.success(
        request, _("Removed. The computers put back what was there before.")
    )
    return redirect(site_url(request.site, "start_pages"))
