"""Putting a virtual cluster to sleep, and waking it."""

from datetime import datetime

from django.db import transaction

from accounts.access import actor_require
from accounts.services.audit import Actor
from clusters.models import OperationKind, VirtualCluster
from clusters.services.operations import operation_start
from clusters.services.virtual_clusters import ClusterWork


@transaction.atomic
def virtual_cluster_sleep(
    *,
    virtual_cluster: VirtualCluster,
    actor: Actor,
    now: datetime,
    by: str = "",
    why: str = "",
    lose_pods: bool = False,
) -> ClusterWork:
    """Starts to put it to sleep."""
    actor_require(actor, "virtualcluster.sleep", virtual_cluster)
    params = {"by": by, "why": why, "lose_pods": lose_pods}
    started = operation_start(kind=OperationKind.SLEEP, subject=virtual_cluster, actor=actor, now=now, params=params)
    return ClusterWork(virtual_cluster, started.operation, created=started.created)


@transaction.atomic
def virtual_cluster_wake(*, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, why: str = "") -> ClusterWork:
    """Starts to wake it."""
    actor_require(actor, "virtualcluster.wake", virtual_cluster)
    started = operation_start(
        kind=OperationKind.WAKE, subject=virtual_cluster, actor=actor, now=now, params={"why": why}
    )
    return ClusterWork(virtual_cluster, started.operation, created=started.created)
