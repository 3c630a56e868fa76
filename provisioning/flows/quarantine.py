"""How what a lost host had is dealt with once it is back: stopped at once, kept for a while, then removed."""

from datetime import datetime, timedelta

from django.conf import settings

from clusters.models import Operation, OperationKind, Placement, PlacementRole, VirtualClusterPhase
from clusters.moving import PLACEMENT
from clusters.recovery import GONE
from clusters.services.placements import placement_leave
from provisioning.engine.flow import Flow
from provisioning.flows.phases import cluster_locked
from provisioning.steps.quarantine import stop_left


def stopped(operation: Operation, now: datetime) -> None:
    """It is kept, so that somebody can look into what was written last; where nothing can be in it, it is removed."""
    cluster = cluster_locked(operation)
    params = Operation.objects.values_list("params", flat=True).get(pk=operation.pk)
    rows = Placement.objects.select_related("virtual_cluster__project__organization")
    lost = rows.filter(pk=params[PLACEMENT], role=PlacementRole.LOST).first()
    if lost is None:
        return
    if params.get(GONE) or cluster.phase == VirtualClusterPhase.DELETED:
        placement_leave(placement=lost, now=now)
        return
    until = now + timedelta(seconds=settings.MOVE_RETAINED_SECONDS)
    Placement.objects.filter(pk=lost.pk).update(role=PlacementRole.RETAINED, role_since=now, retained_until=until)


QUARANTINE = Flow(kind=OperationKind.QUARANTINE, steps=(stop_left,), on_success=stopped)
