"""What silent hosts cost the others: 50 hosts, none silent, then 10% of them."""

import statistics
import time
from collections.abc import Iterator
from typing import Any

from dev.waiting import wait_until
from localkube import LocalHost
from tests.bench.figures import Figure, tell
from tests.bench.hosts import Fleet, fleet, local_host
from tests.bench.setup import FOLDER, Bench

HOSTS = 50
OPERATIONS_EACH = 8
PACE_SECONDS = 0.05
THREADS = 10
PATIENCE_SECONDS = 300


def figures(bench: Bench) -> Iterator[Figure]:
    """The same worker, the same operations at the same pace; half the time with silent hosts, half without."""
    from provisioning.heartbeat import workers_alive

    bench.worker("apart", app="tests.bench.asking_worker", queues="operations", threads=THREADS)
    wait_until(lambda: bool(workers_alive("operations")), seconds=60, what="the worker did not report")
    with local_host(FOLDER / "localkube") as host:
        _p95(host, 0.0)  # warm
        without = [_p95(host, 0.0)]
        with_silent = [_p95(host, 0.1), _p95(host, 0.1)]
        without.append(_p95(host, 0.0))
    calm, storm = statistics.mean(without), statistics.mean(with_silent)
    said = f"p95 of operations on healthy hosts {storm:.2f} s with 5 of {HOSTS} hosts silent, {calm:.2f} s with none"
    yield tell(Figure("silent_hosts_p95_ratio", storm / calm, 1.3, at_most=True, said=said))


def _p95(host: LocalHost, silent_share: float) -> float:
    """Seconds from the request of an operation on a healthy host to its end."""
    from django.db.models import F

    from clusters.models import HostCluster, Operation, VirtualCluster

    with fleet(host, count=HOSTS, silent_share=silent_share) as rows:
        _probed()
        _requested(rows)
        ours = Operation.objects.filter(virtual_cluster__placements__host__in=rows.healthy)
        wait_until(
            lambda: not ours.exclude(state="Succeeded").exists(),
            seconds=PATIENCE_SECONDS,
            what="the operations of the healthy hosts did not end",
        )
        ended = ours.filter(finished_at__isnull=False).annotate(took=F("finished_at") - F("created_at"))
        times = [took.total_seconds() for took in ended.values_list("took", flat=True)]
        waiting = Operation.objects.filter(virtual_cluster__placements__host__in=rows.silent)
        assert all(row.attempt == 0 and row.waiting_host_id for row in waiting), "a silent host's operation was tried"
    Operation.objects.all().delete()
    for cluster in VirtualCluster.objects.all():
        cluster.placements.all().delete()
        cluster.delete()
    HostCluster.objects.all().delete()
    p95: float = statistics.quantiles(times, n=20)[18]
    return p95


def _probed() -> None:
    """As the probes have it, which run all the time: two rounds, half a period apart."""
    from clusters.models import HostCluster
    from provisioning.probes import Prober

    prober = Prober()
    for _ in range(2):
        HostCluster.objects.update(probed_at=None)
        prober.round()
    prober.close()


def _requested(rows: Fleet) -> None:
    """One operation after the other, at a steady pace, each host in its turn."""
    from django.utils import timezone

    from accounts.models import Organization
    from clusters.dispatch import operation_wake
    from clusters.models import OperationKind, Placement
    from tests.accounts.conftest import world_make
    from tests.bench.asking_worker import KIND
    from tests.clusters.making import cluster_row, operation_row

    world = _world() if Organization.objects.filter(name="acme").exists() else world_make()
    hosts = [*rows.silent, *rows.healthy]
    begun = time.monotonic()
    for number in range(OPERATIONS_EACH * len(hosts)):
        host = hosts[number % len(hosts)]
        cluster = cluster_row(world, f"c-{number}")
        Placement.objects.create(virtual_cluster=cluster, host_id=host, namespace=f"c-{number}", release="c")
        operation = operation_row(cluster, OperationKind(KIND), published_at=timezone.now())
        operation_wake(operation.pk)
        time.sleep(max(0.0, begun + (number + 1) * PACE_SECONDS - time.monotonic()))


def _world() -> Any:
    """The people and projects of the run before, as far as they are needed."""
    from types import SimpleNamespace

    from accounts.models import Project, User

    return SimpleNamespace(
        payments=Project.objects.get(organization__name="acme", name="payments"),
        olivia=User.objects.get(handle="olivia"),
    )
