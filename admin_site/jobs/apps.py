from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "admin_site.jobs"
    label = "jobs"
