from django.apps import AppConfig


class ComputersConfig(AppConfig):
    name = "admin_site.computers"
    label = "computers"
