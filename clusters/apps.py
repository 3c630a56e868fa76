"""The clusters app."""

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    """Desired and observed state, and everything the web half does with it."""

    name = "clusters"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.services.projects import HISTORY_REMOVERS
        from clusters.services.history import project_history_remove

        HISTORY_REMOVERS.append(project_history_remove)
