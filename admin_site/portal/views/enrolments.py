"""Enrol: tokens, and computers that wait for a person's yes."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from admin_site.computers.enrolment import (
    PENDING_FOR,
    PortalNotReady,
    approve_enrolment,
    issue_token,
    refuse_enrolment,
    revoke_token,
)
from admin_site.computers.models import Enrolment, EnrolmentToken
from admin_site.computers.selectors import (
    enrolments_of_site,
    pending_enrolments,
    usable_tokens,
)
from admin_site.core import clock
from admin_site.core.errors import TransitionRefused
from admin_site.core.permissions import Permission
from admin_site.portal.forms.computers import ApproveForm, TokenForm
from admin_site.portal.links import site_url
from admin_site.portal.pages import WRITING, SiteRequest, page


@page(Permission.COMPUTER_ENROL)
def enrol(request: SiteRequest) -> HttpResponse:
    """Who waits, which tokens are about, and a form for another."""
    return _enrol_page(request, TokenForm())


@page(Permission.COMPUTER_ENROL, methods=WRITING)
def make_token(request: SiteRequest) -> HttpResponse:
    """Make a token and show it, this once."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _enrol_page(request, form)
    try:
        issued = issue_token(
            site=request.site,
            by=request.user,
            now=clock.now(),
            valid_for=form.valid_for(),
            uses=form.cleaned_data["uses"],
        )
    except PortalNotReady as error:
        messages.error(request, str(error.message))
        return redirect(site_url(request.site, "enrol"))
    command = (
        f"sudo citizenpc-agent enrol --portal {settings.ORIGINS[0]} "
        f"--token {issued.text}"
    )
    context = {"issued": issued, "command": command}
    return render(request, "portal/token_made.html", context)


@page(Permission.COMPUTER_ENROL, methods=WRITING)
def revoke(request: SiteRequest, token_id: UUID) -> HttpResponse:
    """Make a token worthless."""
    token = get_object_or_404(
        EnrolmentToken.objects.for_site(request.site).select_related("site"),
        pk=token_id,
    )
    revoke_token(token=token, by=request.user, now=clock.now())
    messages.success(request, _("The token lets no more computers in."))
    return redirect(site_url(request.site, "enrol"))


@page(Permission.COMPUTER_ENROL, methods=WRITING)
def approve(request: SiteRequest, enrolment_id: UUID) -> HttpResponse:
    """Let a computer in under the name given."""
    enrolment = _enrolment(request, enrolment_id)
    form = ApproveForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give the computer a name of up to 100 characters."))
        return redirect(site_url(request.site, "enrol"))
    try:
        computer = approve_enrolment(
            enrolment=enrolment,
            name=form.cleaned_data["name"],
            by=request.user,
            now=clock.now(),
        )
    except TransitionRefused as error:
        messages.error(request, str(error.message))
    else:
        text = _("%(name)s is approved. It begins to work in a moment.")
        messages.success(request, text % {"name": computer.name})
    return redirect(site_url(request.site, "enrol"))


@page(Permission.COMPUTER_ENROL, methods=WRITING)
def refuse(request: SiteRequest, enrolment_id: UUID) -> HttpResponse:
    """Turn a computer away."""
    enrolment = _enrolment(request, enrolment_id)
    try:
        refuse_enrolment(enrolment=enrolment, by=request.user, now=clock.now())
    except TransitionRefused as error:
        messages.error(request, str(error.message))
    else:
        text = _("%(name)s is refused. To try again it needs a new enrolment.")
        messages.success(request, text % {"name": enrolment.host_name})
    return redirect(site_url(request.site, "enrol"))


def _enrolment(request: SiteRequest, enrolment_id: UUID) -> Enrolment:
    return get_object_or_404(enrolments_of_site(request.site), pk=enrolment_id)


def _enrol_page(request: SiteRequest, form: TokenForm) -> HttpResponse:
    pending = [
        (
            each,
            ApproveForm(
                initial={"name": each.computer.name}, auto_id=f"id_{each.pk}_%s"
            ),
        )
        for each in pending_enrolments(request.site)
    ]
    context = {
        "pending": pending,
        "tokens": usable_tokens(request.site, now=clock.now()),
        "form": form,
        "pending_days": PENDING_FOR.days,
    }
    return render(request, "portal/enrol.html", context)
