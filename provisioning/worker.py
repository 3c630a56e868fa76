"""What a worker process holds besides Celery: the lease keeper, the waker, and the clients of the hosts."""

import os
import random
import socket
import threading
from functools import cache
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone

from clusters.dispatch import operation_wake
from provisioning.drivers.clients import Clients
from provisioning.engine.lease import LeaseKeeper
from provisioning.engine.runner import Runner
from provisioning.engine.waker import Waker
from provisioning.flows import FLOWS
from provisioning.heartbeat import worker_heartbeat_write

log = structlog.get_logger(__name__)


class Worker:
    """One a process. Threads start with `start`; the runner may be used before, then nothing wakes what waits."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._grace: threading.Timer | None = None
        self.clients = Clients()
        self.keeper = LeaseKeeper(every=settings.HEARTBEAT_SECONDS)
        self.waker = Waker(publish=operation_wake, clock=timezone.now, beat=worker_heartbeat_write)
        self.runner = Runner(
            flows=FLOWS,
            clients=self.clients,
            keeper=self.keeper,
            owner=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
            clock=timezone.now,
            random=random.Random(),  # noqa: S311 (jitter, no secret)
            notify=self.waker.notify,
            stopping=self.stopping.is_set,
        )

    def start(self) -> None:
        """Begins to renew leases and to wake operations."""
        self.keeper.start()
        self.waker.start()
        log.info("worker started", owner=self.runner.owner)

    def hand_back(self) -> None:
        """From now on operations are handed back after their current step, or when the grace time is over."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        log.info(
            "worker stops: steps at work may be finished, the rest is handed back",
            owner=self.runner.owner,
            grace_seconds=settings.STOP_GRACE_SECONDS,
        )
        self._grace = threading.Timer(settings.STOP_GRACE_SECONDS, self._grace_over)
        self._grace.daemon = True
        self._grace.start()

    def _grace_over(self) -> None:
        """What is still at work is given to others: its helm is ended, its next outside call is not begun."""
        given_up = self.keeper.give_up_all()
        connection.close()
        log.warning("the grace time is over", handed_back=given_up, owner=self.runner.owner)

    def stop(self) -> None:
        """Ends the threads."""
        if self._grace:
            self._grace.cancel()
        self.waker.stop()
        self.keeper.stop()
        log.info("worker stopped", owner=self.runner.owner)


@cache
def worker() -> Worker:
    """This process's worker."""
    return Worker()


def operation_run_next(told: UUID) -> None:
    """Works in this process on the operation whose turn it is; the wake-up was sent for `told`."""
    worker().runner.run_next(told)
