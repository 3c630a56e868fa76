"""One sweep of the cleanup over 10,000 virtual clusters: its statements, and how long it takes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.bench.figures import Figure, tell
from tests.bench.places import seconds
from tests.bench.setup import Bench

CLUSTERS = 10_000


def figures(bench: Bench) -> Iterator[Figure]:
    """All of them are unused for so long that their owners have to be warned."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from clusters.models import CleanupRun, VirtualCluster
    from clusters.services.cleanup import sweep
    from tests.accounts.conftest import world_make
    from tests.clusters.making import host_row

    world, host, now = world_make(), host_row(), timezone.now()
    rows_make(world, host, CLUSTERS)
    VirtualCluster.objects.update(created_at=now - timedelta(days=85), expires_at=now + timedelta(days=1))
    with CaptureQueriesContext(connection) as captured:
        took = seconds(lambda: sweep(now=now))
    run = CleanupRun.objects.latest("started_at")
    said = f"{run.looked_at} looked at, {run.warned} owners warned"
    assert run.warned == CLUSTERS, said
    yield tell(Figure("sweep_statements", len(captured), 60, at_most=True, said=said))
    yield tell(Figure("sweep_seconds", took, 10, at_most=True, said=said))


def rows_make(world: Any, host: Any, count: int) -> None:
    """Ready clusters of one project, placed on one host."""
    from clusters.models import Placement, VirtualCluster, VirtualClusterPhase

    clusters = VirtualCluster.objects.bulk_create(
        VirtualCluster(
            project=world.payments,
            owner_user=world.olivia,
            creator=world.olivia,
            name=f"bulk-{number}",
            phase=VirtualClusterPhase.READY,
            kubernetes_version="1.36.3",
            chart_version="0.36.1",
            size="small",
        )
        for number in range(count)
    )
    Placement.objects.bulk_create(
        Placement(virtual_cluster=each, host=host, namespace=f"marina-{each.name}", release=each.name)
        for each in clusters
    )
