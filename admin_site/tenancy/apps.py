from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "admin_site.tenancy"
    label = "tenancy"
