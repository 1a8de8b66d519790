from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "admin_site.live"
    label = "live"
