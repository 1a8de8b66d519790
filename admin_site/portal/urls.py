"""URLs of the pages."""

from django.urls import include, path

from admin_site.portal.views import (
    audit,
    computers,
    enrolments,
    manual,
    runs,
    scripts,
    sites,
    start_pages,
    today,
)

app_name = "portal"

at_site = [
    path("", today.today, name="today"),
    path("computers/", computers.computer_list, name="computers"),
    path("computers/<uuid:uid>/", computers.computer_detail, name="computer"),
    path(
        "computers/<uuid:uid>/revoke/",
        computers.revoke,
        name="computer_revoke",
    ),
    path("enrol/", enrolments.enrol, name="enrol"),
    path("enrol/token/", enrolments.make_token, name="token_make"),
    path(
        "enrol/token/<uuid:token_id>/revoke/",
        enrolments.revoke,
        name="token_revoke",
    ),
    path(
        "enrol/<uuid:enrolment_id>/approve/",
        enrolments.approve,
        name="enrolment_approve",
    ),
    path(
        "enrol/<uuid:enrolment_id>/refuse/",
        enrolments.refuse,
        name="enrolment_refuse",
    ),
    path("scripts/", scripts.script_list, name="scripts"),
    path("scripts/<slug:slug>/", scripts.script_detail, name="script"),
    path("scripts/<slug:slug>/run/", scripts.run_script, name="script_run"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/<uuid:run_id>/", runs.run_detail, name="run"),
    path("runs/<uuid:run_id>/parts/jobs/", runs.jobs_part, name="run_jobs"),
    path("runs/<uuid:run_id>/cancel/", runs.cancel, name="run_cancel"),
    path(
        "runs/<uuid:run_id>/jobs/<uuid:job_id>/output/",
        runs.job_output,
        name="job_output",
    ),
    path("start-pages/", start_pages.edit, name="start_pages"),
    path("start-pages/remove/", start_pages.remove, name="start_pages_remove"),
    path("audit/", audit.audit_log, name="audit"),
    path("audit/export/", audit.audit_export, name="audit_export"),
]

urlpatterns = [
    path("", sites.home, name="home"),
    path("sites/", sites.site_list, name="sites"),
    path("language/", sites.choose_language, name="language"),
    path("help/<slug:page>/", manual.show, name="help"),
    path("at/<slug:organisation>/<slug:site>/", include(at_site)),
]
