"""Asking hosts whether they are there. All that are due are asked at once, in threads; what came is written in bulk.

Whose turn it is stands in `probed_at`, claimed in the database, so several probe workers share the hosts. Those that
say nothing hold up nobody: what the others answered is written while they are still waited for.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from time import monotonic
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from clusters.models import HostCluster, HostPhase
from provisioning.drivers.clients import host_connection
from provisioning.drivers.kinds import Json
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.route import Timeouts
from provisioning.drivers.transport import HostTransport
from provisioning.engine.errors import StepError
from provisioning.host_conditions import Answer
from provisioning.probe_notes import answers_note

log = structlog.get_logger(__name__)

THREADS = 64
"""1,000 hosts, 100 of them silent, take 64 threads 7 s and 16 threads 21 s."""
CONNECT_SECONDS, READ_SECONDS = 2.0, 3.0
HOSTS_KNOWN = 4096
"""So many hosts have a client that is kept, with the TLS settings that are dear to make. Connections are not kept."""
BATCH = 64
"""So many are claimed at a time, once threads are free: others may take the rest."""
NOTE_SECONDS = 0.5
"""What has been answered is written after so long at most."""
PATIENCE_SECONDS = 15.0
"""The timeouts are for each wait: one that sends a byte now and then could go on for ever."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """A host that is being asked, and until when that is waited for."""

    host: HostCluster
    future: Future[Answer | None]
    until: float

    def answer(self) -> Answer | None:
        """What came; that it did not end in time; or None where it was never begun."""
        if self.future.done():
            return self.future.result()
        if self.future.cancel():
            return None
        why = f"Host {self.host.name} did not come to the end of its answer."
        return Answer(self.host.pk, code="timeout", why=why)


class Prober:
    """One a process: its threads, and the clients that they ask with. `clock` gives the time that answers are noted.

    `patience` is in seconds.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = timezone.now,
        threads: int = THREADS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        connect = min(CONNECT_SECONDS, settings.HOST_CONNECT_TIMEOUT_SECONDS)
        timeouts = Timeouts(connect=connect, read=min(READ_SECONDS, settings.HOST_READ_TIMEOUT_SECONDS))
        self._transport = HostTransport(capacity=HOSTS_KNOWN, timeouts=timeouts)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="probe")
        self._clock = clock
        self._patience = patience
        self._busy: dict[UUID, HostCluster] = {}

    def round(self, *, more: Callable[[], object] = lambda: None, stopping: Callable[[], bool] = lambda: False) -> int:
        """Asks every host that is due and notes what came; how many were asked.

        `more` is called when there may be more than this process has threads for, so that another one joins in. From
        when `stopping` says so, only those that were asked already are waited for.
        """
        asked, due, waiting = 0, True, list[_Asked]()
        while due or waiting:
            due = due and not stopping()
            if due and len(waiting) < THREADS:
                hosts = probe_claim(busy=tuple(self._busy))
                due = len(hosts) == BATCH
                if due:
                    more()
                asked += len(hosts)
                waiting += [self._ask_soon(host) for host in hosts]
            waiting = self._note_some(waiting)
        return asked

    def close(self) -> None:
        """Asks no more, and ends what is kept."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._transport.close()

    def _note_some(self, waiting: list[_Asked]) -> list[_Asked]:
        """Notes what has come after a moment; those that are still waited for."""
        wait([asked.future for asked in waiting], timeout=NOTE_SECONDS)
        over = [asked for asked in waiting if asked.future.done() or monotonic() > asked.until]
        answers_note([answer for asked in over if (answer := asked.answer())], now=self._clock())
        return [asked for asked in waiting if asked not in over]

    def _ask_soon(self, host: HostCluster) -> _Asked:
        self._busy[host.pk] = host
        future = self._threads.submit(self._ask, host)
        future.add_done_callback(lambda _: self._busy.pop(host.pk, None))
        return _Asked(host, future, until=monotonic() + self._patience)

    def _ask(self, host: HostCluster) -> Answer | None:
        """None where the fault is Marina's own: that says nothing about the host."""
        try:
            said = self._version(host)
        except StepError as error:
            return Answer(host.pk, code=error.code, why=error.message)
        except Exception:
            log.exception("a host could not be asked", host=host.name)
            return None
        return Answer(host.pk, version=str(said.get("gitVersion", "")).removeprefix("v"))

    def _version(self, host: HostCluster) -> Json:
        """By a new connection each time: only that shows that one can be made, and 1,000 open ones are many files."""
        api = self._transport.client(
            host_id=str(host.pk),
            generation=host.credential.generation,
            connection=host_connection(host),
            name=host.name,
        )
        try:
            return KubeClient(api).version()
        finally:
            api.retire()


def probe_claim(*, busy: tuple[UUID, ...] = ()) -> list[HostCluster]:
    """Up to BATCH hosts that are due, the longest unasked first; nobody else gets them before half of PROBE_SECONDS.

    `busy` are those that this process still waits for: where rounds come faster than timeouts end, nobody is asked
    twice at once.
    """
    due = Q(probed_at__isnull=True) | Q(probed_at__lte=Now() - timedelta(seconds=settings.PROBE_SECONDS / 2))
    with transaction.atomic():
        connected = HostCluster.objects.filter(due, phase=HostPhase.CONNECTED, credential__ciphertext__isnull=False)
        hosts = list(
            connected.exclude(pk__in=busy)
            .select_related("credential")
            .only("name", "credential__ciphertext", "credential__generation", "credential__host")
            .order_by(F("probed_at").asc(nulls_first=True), "pk")
            .select_for_update(of=("self",), skip_locked=True, no_key=True)[:BATCH]
        )
        HostCluster.objects.filter(pk__in=[host.pk for host in hosts]).update(probed_at=Now())
    return hosts


@cache
def prober() -> Prober:
    """This process's."""
    return Prober()
