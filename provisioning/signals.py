"""Celery's signals of a worker process. Light on purpose: the web half loads this too, but no driver."""

import atexit
from typing import Any

import structlog
from celery.signals import (
    beat_init,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from django.db import close_old_connections

log = structlog.get_logger(__name__)


def connect() -> None:
    """Called once Django's apps are ready; does nothing in processes that are no Celery worker."""
    worker_ready.connect(_ready, weak=False)
    worker_shutting_down.connect(_shutting_down, weak=False)
    worker_shutdown.connect(_shutdown, weak=False)
    beat_init.connect(_beat, weak=False)
    # as around a request: a thread keeps its connection, and looks first whether it still answers
    task_prerun.connect(_connections, weak=False)
    task_postrun.connect(_connections, weak=False)
    # a receiver keeps Celery from setting up logging of its own: Django's is in place
    setup_logging.connect(_keep_logging, weak=False)


def _ready(**_: Any) -> None:
    from provisioning.worker import worker

    worker().start()


def _shutting_down(**_: Any) -> None:
    from accounts.services.webhook_delivering import postman
    from provisioning.worker import worker

    worker().hand_back()
    postman().stop()


def _shutdown(**_: Any) -> None:
    from provisioning.worker import worker

    worker().stop()


def _beat(**_: Any) -> None:
    """Beat has no signal for its end, and ends by itself on SIGTERM: between two ticks, so nothing is half done."""
    log.info("beat started")
    atexit.register(log.info, "beat stopped")


def _connections(**_: Any) -> None:
    """Closes those that are broken or old (CONN_MAX_AGE)."""
    close_old_connections()


def _keep_logging(**_: Any) -> None:
    """Django has configured it."""
