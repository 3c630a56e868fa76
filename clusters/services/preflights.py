"""Asking what an upgrade or a move would meet, before it is begun."""

from datetime import datetime
from typing import Any

from accounts.services.audit import Actor
from clusters.models import Operation, OperationKind, VirtualCluster
from clusters.preflight import OF
from clusters.services.operations import operation_start


def preflight_start(
    *, of: OperationKind, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, params: dict[str, Any]
) -> Operation:
    """Of what `params` ask for. Call it in a transaction; whoever calls it has checked that the actor may."""
    return operation_start(
        kind=OperationKind.PREFLIGHT, subject=virtual_cluster, actor=actor, now=now, params={**params, OF: of}
    ).operation
