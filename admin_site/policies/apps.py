from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    name = "admin_site.policies"
    label = "policies"
