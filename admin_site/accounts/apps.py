from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "admin_site.accounts"
    label = "accounts"
