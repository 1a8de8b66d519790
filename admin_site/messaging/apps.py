from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "admin_site.messaging"
    label = "messaging"
