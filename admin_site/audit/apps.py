from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "admin_site.audit"
    label = "audit"
