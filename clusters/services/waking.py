"""Waking a virtual cluster because somebody wants to use it: what the gateway asks for on their behalf."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.errors import Conflict
from accounts.services.audit import Actor
from clusters.models import Operation, OperationKind, VirtualCluster, VirtualClusterPhase
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.operations import operation_start

GATEWAY: Final = "marina gateway"


@transaction.atomic
def wake_for(*, cluster_id: UUID, handle: str, now: datetime) -> Operation | None:
    """Starts what brings back a cluster that is asleep; None where it is not, or where something else is at work.

    Whoever may use a cluster may wake it, so no role is asked: the gateway has let them in. `handle` is who it was.
    """
    cluster = VirtualCluster.objects.select_related("project__organization").filter(pk=cluster_id).first()
    if cluster is None or cluster.phase != VirtualClusterPhase.ASLEEP:
        return None
    actor = Actor(user=None, name=GATEWAY)
    try:
        started = operation_start(kind=OperationKind.WAKE, subject=cluster, actor=actor, now=now)
    except Conflict:
        return None
    if started.created:
        virtual_cluster_audit(
            actor,
            "virtualcluster.wake",
            cluster,
            details={"for": handle, "operation": str(started.operation.pk)},
        )
    return started.operation
