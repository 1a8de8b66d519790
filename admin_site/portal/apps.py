from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "admin_site.portal"
    label = "portal"
