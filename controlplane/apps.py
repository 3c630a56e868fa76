"""The app that puts the others together."""

from django.apps import AppConfig
from django.core.checks import register


class ControlplaneConfig(AppConfig):
    """Has Django look at Marina's settings with its own checks."""

    name = "controlplane"

    def ready(self) -> None:
        from controlplane.checks import settings_check

        register(settings_check)
