"""The provisioning app: the worker half."""

from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    """Registers what a Celery worker process starts besides its tasks."""

    name = "provisioning"

    def ready(self) -> None:
        from provisioning import signals

        signals.connect()
