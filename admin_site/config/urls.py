"""Every URL of the portal. Each view names who may reach it (`portal.pages`)."""

from django.urls import include, path

# Named by allauth for the limits that are its own.
handler429 = "admin_site.accounts.views.too_many_tries"

urlpatterns = [
    path("agent/v1/", include("admin_site.agent_api.urls")),
    path("accounts/", include("admin_site.accounts.urls")),
    path("", include("admin_site.portal.urls")),
]
