from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "admin_site.core"
    label = "core"
