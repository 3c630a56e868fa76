"""The clusters app."""

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    """Desired and observed state, and everything the web half does with it."""

    name = "clusters"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.services.access_lost import ACCESS_LOST
        from accounts.services.projects import HISTORY_REMOVERS
        from clusters.services.history import project_history_remove
        from clusters.services.ownership import clusters_pass_on

        HISTORY_REMOVERS.append(project_history_remove)
        ACCESS_LOST.append(clusters_pass_on)
