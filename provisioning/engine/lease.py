"""Leases: the right of one worker to work on one operation, for a while.

A claim is one conditional UPDATE. It raises the operation's token, and every later write of the worker carries it, so
a worker that was stopped, cut off or declared dead writes nothing any more.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.db.models import F, Q
from django.db.models.functions import Now
from django.db.models.lookups import LessThanOrEqual

from clusters.models import ACTIVE_STATES, Operation, OperationState

log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Another worker holds the operation now, or may. Whoever gets this stops at once and writes nothing."""


class Lease:
    """A claim on an operation. Safe to ask from any thread."""

    def __init__(self, *, operation_id: UUID, token: int, seconds: float) -> None:
        self.operation_id = operation_id
        self.token = token
        self.seconds = seconds
        self._valid_until = 0.0
        self._lost = False

    def extend(self, *, asked_at: float) -> None:
        """The lease was granted by a statement sent at `asked_at` (monotonic seconds)."""
        # a little less than the database's own reckoning, so that we stop before somebody else may start
        self._valid_until = asked_at + self.seconds * 0.9

    def lose(self) -> None:
        """Somebody else has it."""
        self._lost = True

    def check(self) -> None:
        """Raises LeaseLost unless the lease is surely still ours. Called before every effect on the outside."""
        if self._lost or time.monotonic() >= self._valid_until:
            raise LeaseLost(f"The lease on operation {self.operation_id} (token {self.token}) is gone.")


def lease_claim(*, operation_id: UUID, owner: str, seconds: float) -> Lease | None:
    """Takes an operation that is due and that nobody holds; None where there is none such."""
    asked_at = time.monotonic()
    claimed = (
        Operation.objects.filter(pk=operation_id, state__in=ACTIVE_STATES)
        .filter(Q(run_after__isnull=True) | LessThanOrEqual(F("run_after"), Now()))
        .filter(Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=Now()))
        .update(
            lease_owner=owner,
            lease_token=F("lease_token") + 1,
            lease_expires_at=Now() + timedelta(seconds=seconds),
            published_at=None,
            state=OperationState.PROCESSING,
        )
    )
    if not claimed:
        return None
    token = Operation.objects.values_list("lease_token", flat=True).get(pk=operation_id)
    lease = Lease(operation_id=operation_id, token=token, seconds=seconds)
    lease.extend(asked_at=asked_at)
    return lease


class LeaseKeeper(threading.Thread):
    """Renews the leases of all operations this process works on, from one thread."""

    def __init__(self, *, every: float) -> None:
        super().__init__(name="lease-keeper", daemon=True)
        self.every = every
        self._leases: dict[UUID, Lease] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()

    @contextmanager
    def keeping(self, lease: Lease) -> Iterator[None]:
        """Renews `lease` until the block ends."""
        with self._lock:
            self._leases[lease.operation_id] = lease
        try:
            yield
        finally:
            with self._lock:
                self._leases.pop(lease.operation_id, None)

    def stop(self) -> None:
        """Ends the thread soon."""
        self._stop.set()

    def run(self) -> None:
        """Renews until stopped. A database that is away is tried again; meanwhile leases run out by themselves."""
        while not self._stop.wait(self.every):
            try:
                self.renew_all()
            except DatabaseError as error:
                log.warning("leases could not be renewed", error=str(error))
            finally:
                close_old_connections()

    def renew_all(self) -> None:
        """Renews each lease, and tells those that are lost."""
        with self._lock:
            leases = list(self._leases.values())
        for lease in leases:
            asked_at = time.monotonic()
            renewed = Operation.objects.filter(pk=lease.operation_id, lease_token=lease.token).update(
                lease_expires_at=Now() + timedelta(seconds=lease.seconds)
            )
            lease.extend(asked_at=asked_at) if renewed else lease.lose()


def lease_keeper_start() -> LeaseKeeper:
    """A running keeper with the settings' heartbeat."""
    keeper = LeaseKeeper(every=settings.HEARTBEAT_SECONDS)
    keeper.start()
    return keeper
