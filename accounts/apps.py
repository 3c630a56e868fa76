"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Also fills in guardian's permissions of the role table after each migration (Django's own post_migrate)."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
