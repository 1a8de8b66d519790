from django.apps import AppConfig


class ScriptsConfig(AppConfig):
    name = "admin_site.scripts"
    label = "scripts"
