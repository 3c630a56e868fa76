"""The Django project: settings, addresses, the Celery application, page shell, health endpoints."""

from controlplane.celery import app as celery_app

__all__ = ["celery_app"]
