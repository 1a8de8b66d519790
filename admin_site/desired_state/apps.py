from django.apps import AppConfig


class DesiredStateConfig(AppConfig):
    name = "admin_site.desired_state"
    label = "desired_state"
