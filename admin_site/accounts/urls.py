"""Signing in and out, and what a person may change of their own account."""

from django.urls import path

from admin_site.accounts import views

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("once/<str:secret>/", views.one_time_link, name="one_time_link"),
    path("inactive/", views.inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/set/", views.password_set, name="account_set_password"),
    path("2fa/", views.mfa_index, name="mfa_index"),
    path("2fa/authenticate/", views.mfa_authenticate, name="mfa_authenticate"),
    path("2fa/reauthenticate/", views.mfa_reauthenticate, name="mfa_reauthenticate"),
    path("2fa/totp/activate/", views.activate_totp, name="mfa_activate_totp"),
    path("2fa/totp/deactivate/", views.deactivate_totp, name="mfa_deactivate_totp"),
    path(
        "2fa/recovery-codes/",
        views.view_recovery_codes,
        name="mfa_view_recovery_codes",
    ),
    path(
        "2fa/recovery-codes/generate/",
        views.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "2fa/recovery-codes/download/",
        views.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
]
