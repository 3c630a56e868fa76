"""What it takes to look after many hosts: a round of probes, and what waker and schedules ask of the database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from tests.bench.figures import Figure, tell
from tests.bench.hosts import fleet, local_host
from tests.bench.no_op import operations_make
from tests.bench.setup import FOLDER, Bench

HOSTS = 1000
SILENT_SHARE = 0.1
WATCHED_SECONDS = 10.0
WAITING = 1000


def figures(bench: Bench) -> Iterator[Figure]:
    with local_host(FOLDER / "localkube") as host, fleet(host, count=HOSTS, silent_share=SILENT_SHARE) as rows:
        yield _round(len(rows.silent))
        yield _waker()


def _round(silent: int) -> Figure:
    """Each host is asked, by a connection of its own, and what came is in its row."""
    from clusters.models import HostCluster
    from provisioning.probes import Prober

    prober, begun = Prober(), time.monotonic()
    asked = prober.round()
    seconds = time.monotonic() - begun
    prober.close()
    noted = HostCluster.objects.exclude(conditions=[]).count()
    assert asked == noted == HOSTS, f"{asked} asked, {noted} noted"
    said = f"{HOSTS} hosts at one real API server, {silent} of them silent"
    return tell(Figure("probe_round_seconds", seconds, 30.0, at_most=True, said=said))


def _waker() -> Figure:
    """A waker and a beat's ticks with nothing to do but to look, while many operations wait for their time."""
    from datetime import timedelta

    from django.utils import timezone

    from clusters.models import Operation
    from provisioning.engine.waker import Waker
    from provisioning.schedules import schedules_tick

    made = operations_make(WAITING)
    Operation.objects.filter(pk__in=[row.pk for row in made]).update(run_after=timezone.now() + timedelta(hours=1))
    waker = Waker(publish=lambda operation_id: None, clock=timezone.now)
    with _database_seconds() as spent:
        begun = time.monotonic()
        waker.start()
        while time.monotonic() < begun + WATCHED_SECONDS:
            schedules_tick(send=lambda scheduled: None)
            time.sleep(1.0)
        watched = time.monotonic() - begun
        waker.stop()
        waker.join()
    said = f"milliseconds of database time a second, {WAITING} operations waiting, {HOSTS} hosts, one process"
    return tell(Figure("waker_and_tick_ms_per_second", 1000 * spent() / watched, 50.0, at_most=True, said=said))


@contextmanager
def _database_seconds() -> Iterator[Callable[[], float]]:
    """Seconds in which any thread of this process waited for the database."""
    from django.db.backends import utils

    wrapper: Any = utils.CursorWrapper
    spent, lock, original = [0.0], Lock(), wrapper._execute

    def timed(*arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            with lock:
                spent[0] += time.perf_counter() - begun

    wrapper._execute = timed
    try:
        yield lambda: spent[0]
    finally:
        wrapper._execute = original
