"""Wakes operations when their time has come. One thread a worker process; they share the rows, not each other.

It sleeps until the next `run_after` it knows of and at most a second: that second is the safety net for rows whose
message was lost and for leases whose worker died. A wake-up is sent again only when it was unclaimed for some time.
It also erases sealed results before their time is over: a promise in seconds is nothing for a queue that may be busy.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from clusters.models import ACTIVE_STATES, Operation
from clusters.services.kubeconfigs import sealed_results_expire
from provisioning.engine.slots import slots_tidy

log = structlog.get_logger(__name__)

TICK_SECONDS = 1.0
RESOLUTION_SECONDS = 0.05
"""Between two rounds at least, so that many operations, or a clock that is off, do not make it ask without end."""
ERASED_EARLY_SECONDS = 5.0
"""Some rounds may come late or fail, and a sealed result is still gone when its time is over."""
BATCH = 200


class Waker(threading.Thread):
    """`publish(operation_id)` sends the wake-up, and answers False where that was not taken.

    `beat()` is called at each round, for the process's heartbeat.
    """

    def __init__(
        self,
        *,
        publish: Callable[[UUID], bool | None],
        clock: Callable[[], datetime],
        beat: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(name="waker", daemon=True)
        self.publish = publish
        self.clock = clock
        self.beat = beat
        self._news = threading.Condition()
        self._next: datetime | None = None
        self._stopped = False
        self._tick_at = 0.0

    def notify(self, when: datetime) -> None:
        """An operation of this process has to be looked at again at `when`."""
        with self._news:
            if self._next is None or when < self._next:
                self._next = when
                self._news.notify()

    def stop(self) -> None:
        """Ends the thread soon."""
        with self._news:
            self._stopped = True
            self._news.notify()

    def run(self) -> None:
        """Publishes what is due until stopped."""
        while not self._stopped:
            try:
                self.beat()
                self._tick()  # before what a broker may hold up
                following = self.publish_due()
            except Exception as error:  # this thread must not end before its process
                log.warning("due operations could not be looked up", error=str(error))
                following = None
            finally:
                close_old_connections()
            self._sleep_until(following)
        connection.close()

    def publish_due(self) -> datetime | None:
        """Publishes each due operation once; says when the next one known is due."""
        with transaction.atomic():
            due = list(_due().select_for_update(skip_locked=True).values_list("pk", flat=True)[:BATCH])
            if due:
                Operation.objects.filter(pk__in=due).update(published_at=Now())
        for number, pk in enumerate(due):
            if self.publish(pk) is False:  # nor will it take the others now; asking for each would hold this thread up
                Operation.objects.filter(pk__in=due[number:]).update(published_at=None)
                break
        return _waiting().order_by("run_after").values_list("run_after", flat=True).first()

    def _tick(self) -> None:
        """What need not be looked at each round."""
        if time.monotonic() >= self._tick_at:
            self._tick_at = time.monotonic() + TICK_SECONDS
            self.erase_due()
            slots_tidy()

    def erase_due(self) -> None:
        """Erases the sealed results that would be there too long if the next round came late."""
        sealed_results_expire(now=self.clock() + timedelta(seconds=ERASED_EARLY_SECONDS))

    def _sleep_until(self, following: datetime | None) -> None:
        with self._news:
            if following is not None and (self._next is None or following < self._next):
                self._next = following
            earliest = time.monotonic() + RESOLUTION_SECONDS
            while not self._stopped:
                left = max(self._left(), earliest - time.monotonic())
                if left <= 0 or not self._news.wait(left):
                    break
            self._next = None

    def _left(self) -> float:
        if self._next is None:
            return TICK_SECONDS
        return min(TICK_SECONDS, (self._next - self.clock()).total_seconds())


def _due() -> QuerySet[Operation]:
    """By the database's clock, which claims go by too: a worker whose own clock is off still claims what it is told."""
    unclaimed = Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=Now())
    untold = Q(published_at__isnull=True) | Q(published_at__lt=Now() - timedelta(seconds=settings.UNCLAIMED_SECONDS))
    return (
        Operation.objects.filter(state__in=ACTIVE_STATES, waiting_host=None)
        .filter(Q(run_after__isnull=True) | Q(run_after__lte=Now()))
        .filter(unclaimed)
        .filter(untold)
        .order_by(F("run_after").asc(nulls_first=True))
    )


def _waiting() -> QuerySet[Operation]:
    return Operation.objects.filter(
        state__in=ACTIVE_STATES, waiting_host=None, run_after__gt=Now(), lease_expires_at__isnull=True
    )
