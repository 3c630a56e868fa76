"""Putting virtual clusters to sleep and waking them."""

from datetime import datetime

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import Conflict
from accounts.services.audit import Actor
from clusters.models import Operation, OperationKind, OperationState, VirtualCluster
from clusters.models import VirtualClusterPhase as Phase
from clusters.services.cluster_rows import virtual_cluster_audit, virtual_cluster_locked
from clusters.services.configuring import gone_refuse
from clusters.services.operations import operation_start
from clusters.services.virtual_clusters import ClusterWork

ENDED = (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.ABORTED)


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
    """Starts to put it to sleep: state and data stay, nothing of it runs. One that is asleep is left as it is.

    `by` and `why` are shown on it, in words; without `by` it is who acts. Pods that no controller would make again end
    the operation before anything is done, unless `lose_pods` gives them up. Raises Conflict where it is not there to
    sleep.
    """
    actor_require(actor, "virtualcluster.sleep", virtual_cluster)
    locked = virtual_cluster_locked(virtual_cluster)
    gone_refuse(locked)
    if locked.phase == Phase.ASLEEP and (last := _settled(locked)):
        return ClusterWork(locked, last, created=False)
    if locked.phase == Phase.FAILED and not locked.sleeping:
        raise Conflict(
            f"{locked} is Failed, so nobody knows what would wake up again.",
            hint=f"Bring it back first: marina configure {locked.name} --project {locked.project}.",
        )
    params = {"by": by or actor.label, "why": why, "lose_pods": lose_pods}
    started = operation_start(kind=OperationKind.SLEEP, subject=locked, actor=actor, now=now, params=params)
    if started.created:
        _audit(actor, "virtualcluster.sleep", locked, started.operation, why)
    return ClusterWork(locked, started.operation, created=started.created)


@transaction.atomic
def virtual_cluster_wake(*, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, why: str = "") -> ClusterWork:
    """Starts to wake it. One that is awake is left as it is, one that is falling asleep does not get that far.

    Raises Conflict where it is not there to wake.
    """
    actor_require(actor, "virtualcluster.wake", virtual_cluster)
    locked = virtual_cluster_locked(virtual_cluster)
    gone_refuse(locked)
    last = _settled(locked)
    if locked.phase == Phase.READY and last:
        return ClusterWork(locked, last, created=False)
    if locked.phase == Phase.FAILED and last and last.kind != OperationKind.WAKE:
        raise Conflict(
            f"{locked} is not asleep, it is Failed.",
            hint=f"Bring it back: marina configure {locked.name} --project {locked.project}.",
            operation_id=last.pk,
        )
    started = operation_start(kind=OperationKind.WAKE, subject=locked, actor=actor, now=now)
    if started.created:
        _audit(actor, "virtualcluster.wake", locked, started.operation, why)
    return ClusterWork(locked, started.operation, created=started.created)


def _settled(cluster: VirtualCluster) -> Operation | None:
    """The last operation that changed it, where it has ended; None while one is at work or waits its turn."""
    operations = Operation.objects.filter(virtual_cluster=cluster, lock_key__isnull=False)
    if operations.exclude(state__in=ENDED).exists():
        return None
    return operations.order_by("-id").first()


def _audit(actor: Actor, action: str, cluster: VirtualCluster, operation: Operation, why: str) -> None:
    virtual_cluster_audit(
        actor,
        action,
        cluster,
        details={"operation": str(operation.pk), **({"why": why} if why else {})},
    )
