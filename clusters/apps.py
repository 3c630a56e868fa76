"""The clusters app."""

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    """Desired and observed state, and everything the web half does with it."""

    name = "clusters"
    default_auto_field = "django.db.models.BigAutoField"
