"""What the engine costs: a flow of three steps that do nothing against Celery tasks that do nothing."""

import time
from collections.abc import Iterator

from dev.waiting import wait_until
from tests.bench.figures import Figure, tell
from tests.bench.setup import LOOK_SECONDS, Bench

OPERATIONS = 1500
THREADS = 10
PATIENCE_SECONDS = 300


def figures(bench: Bench) -> Iterator[Figure]:
    """Both are in the queue before the clock starts, and are done by the same threads of the same worker."""
    from provisioning.heartbeat import workers_alive

    bench.worker("no-op", app="tests.bench.no_op_worker", queues="idle", threads=THREADS)
    wait_until(lambda: bool(workers_alive("idle")), seconds=60, what="the worker did not report")
    bare = [_bare_per_second()]
    engine = _operations_per_second()
    bare.append(_bare_per_second())
    middle = sum(bare) / 2
    yield tell(
        Figure(
            "engine_operations_ratio",
            engine / middle,
            0.15,
            at_most=False,
            said=f"{engine:.0f} operations of three steps a second, {middle:.0f} bare tasks a second",
        )
    )


def _bare_per_second() -> float:
    from celery import current_app

    from tests.bench.no_op_worker import NO_OP

    for _ in range(OPERATIONS):
        current_app.send_task(NO_OP, queue="bare", ignore_result=True)
    begun = _consumed("bare")
    wait_until(lambda: _length("bare") == 0, seconds=PATIENCE_SECONDS, what="the tasks did not end", every=LOOK_SECONDS)
    return OPERATIONS / (time.monotonic() - begun)


def _operations_per_second() -> float:
    from clusters.dispatch import operation_wake
    from clusters.models import Operation

    for operation in operations_make(OPERATIONS):
        operation_wake(operation.pk)
    begun = _consumed("operations")
    left = Operation.objects.exclude(state="Succeeded")
    wait_until(
        lambda: not left.exists(), seconds=PATIENCE_SECONDS, what="the operations did not end", every=LOOK_SECONDS
    )
    return OPERATIONS / (time.monotonic() - begun)


def operations_make(count: int) -> "list":  # type: ignore[type-arg]
    """That many operations of clusters that are placed nowhere."""
    from django.utils import timezone

    from clusters.models import Operation
    from tests.accounts.conftest import world_make
    from tests.bench.no_op_worker import KIND
    from tests.clusters.making import cluster_row

    world, now = world_make(), timezone.now()
    clusters = [cluster_row(world, f"c-{number}") for number in range(count)]
    return Operation.objects.bulk_create(
        Operation(
            kind=KIND,
            virtual_cluster=cluster,
            project=cluster.project,
            organization=cluster.project.organization,
            lock_key=f"virtual-cluster:{cluster.pk}",
            published_at=now,
        )
        for cluster in clusters
    )


def _consumed(queue: str) -> float:
    """Lets the worker begin with a queue; when it did (monotonic seconds)."""
    from celery import current_app

    begun = time.monotonic()
    current_app.control.add_consumer(queue, reply=True)
    return begun


def _length(queue: str) -> int:
    from provisioning.broker import broker

    return int(broker().llen(queue))
