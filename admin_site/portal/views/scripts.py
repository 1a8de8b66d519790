"""Scripts: the library, one script, and ordering a run of it."""

from itertools import groupby

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from admin_site.core import clock
from admin_site.core.permissions import Permission
from admin_site.jobs.services import NothingToRunOn, create_run
from admin_site.portal.code_texts import RISKS
from admin_site.portal.forms.arguments import unsupported_parameters
from admin_site.portal.forms.run import RunForm
from admin_site.portal.links import site_url
from admin_site.portal.pages import FORM, SiteRequest, page
from admin_site.scripts.models import Script, ScriptVersion
from admin_site.scripts.selectors import library_scripts, metadata_of


@page(Permission.SCRIPT_VIEW)
def script_list(request: SiteRequest) -> HttpResponse:
    """The library by category."""
    described = [
        (script, metadata_of(_current(script))) for script in library_scripts()
    ]
    words = request.GET.get("q", "").strip().casefold()[:100]
    language = get_language() or "en"
    found = [
        (script, metadata)
        for script, metadata in described
        if words in metadata.title.in_language(language).casefold()
        or words in metadata.description.in_language(language).casefold()
    ]
    categories = [
        (members[0][0].category_title, members)
        for members in (
            list(group) for _key, group in groupby(found, lambda each: each[0].category)
        )
    ]
    context = {
        "categories": categories,
        "words": request.GET.get("q", ""),
        "computer": request.GET.get("computer", ""),
        "risks": RISKS,
    }
    return render(request, "portal/scripts.html", context)


@page(Permission.SCRIPT_VIEW)
def script_detail(request: SiteRequest, slug: str) -> HttpResponse:
    """What a script does, what it can be told, and the button that runs it."""
    script = get_object_or_404(library_scripts(), slug=slug)
    metadata = metadata_of(_current(script))
    context = {
        "script": script,
        "metadata": metadata,
        "risk": RISKS[metadata.risk.value],
        "computer": request.GET.get("computer", ""),
        "unsupported": unsupported_parameters(metadata.parameters),
    }
    return render(request, "portal/script.html", context)


@page(Permission.RUN_CREATE, methods=FORM)
def run_script(request: SiteRequest, slug: str) -> HttpResponse:
    """Choose computers and arguments, then order the run."""
    script = get_object_or_404(library_scripts(), slug=slug)
    version = _current(script)
    metadata = metadata_of(version)
    if unsupported_parameters(metadata.parameters):
        messages.error(request, _("This script cannot be run from the portal yet."))
        return redirect(site_url(request.site, "script", slug=slug))
    form = RunForm(
        request.POST if request.method == "POST" else None,
        parameters=metadata.parameters,
        language=get_language() or "en",
        site=request.site,
        initial={"computers": request.GET.getlist("computer")},
    )
    if request.method == "POST" and form.is_valid():
        response = _order(request, version, form)
        if response is not None:
            return response
    context = {
        "script": script,
        "metadata": metadata,
        "risk": RISKS[metadata.risk.value],
        "form": form,
        "groups": list(form.groups()),
    }
    return render(request, "portal/script_run.html", context)


def _order(
    request: SiteRequest, version: ScriptVersion, form: RunForm
) -> HttpResponse | None:
    """Order the run; nothing when no computer is left, which the form then says."""
    try:
        run = create_run(
            site=request.site,
            script_version=version,
            arguments=form.cleaned_data["arguments"],
            computers=form.chosen_computers(),
            by=request.user,
            request_id=form.cleaned_data["request_id"],
            now=clock.now(),
        )
    except NothingToRunOn as error:
        form.add_error("computers", str(error.message))
        return None
    return redirect(site_url(request.site, "run", run_id=run.pk))


def _current(script: Script) -> ScriptVersion:
    if script.current is None:
        raise LookupError("library_scripts leaves out scripts without a version")
    return script.current
