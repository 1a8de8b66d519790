"""``/agent/v1/``: no trailing slashes, the wire is not for people."""

from django.urls import path, re_path

from admin_site.agent_api import views

app_name = "agent_api"
urlpatterns = [
    path("enrolments", views.enrol, name="enrol"),
    path("state", views.state, name="state"),
    path("jobs/lease", views.lease, name="lease"),
    path("jobs/<uuid:job_id>/output", views.output, name="output"),
    path("jobs/<uuid:job_id>/result", views.result, name="result"),
    path("orders", views.orders, name="orders"),
    re_path(r"^blobs/(?P<sha256>[0-9a-f]{64})$", views.blob, name="blob"),
    path("reports", views.reports, name="reports"),
    path("facts", views.facts, name="facts"),
]
