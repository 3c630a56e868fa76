"""Celery's signals of a worker process. Light on purpose: the web half loads this too, but no driver."""

from typing import Any

from celery.signals import setup_logging, worker_ready, worker_shutdown, worker_shutting_down


def connect() -> None:
    """Called once Django's apps are ready; does nothing in processes that are no Celery worker."""
    worker_ready.connect(_ready, weak=False)
    worker_shutting_down.connect(_shutting_down, weak=False)
    worker_shutdown.connect(_shutdown, weak=False)
    # a receiver keeps Celery from setting up logging of its own: Django's is in place
    setup_logging.connect(_keep_logging, weak=False)


def _ready(**_: Any) -> None:
    from provisioning.worker import worker

    worker().start()


def _shutting_down(**_: Any) -> None:
    from provisioning.worker import worker

    worker().hand_back()


def _shutdown(**_: Any) -> None:
    from provisioning.worker import worker

    worker().stop()


def _keep_logging(**_: Any) -> None:
    """Django has configured it."""
