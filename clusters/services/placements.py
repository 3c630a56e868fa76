"""What becomes of placements that are not the active one: kept for a while, then removed from their hosts.

Those that were lost with their host are stopped as soon as it is back, and then kept as well.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.services.audit import Actor
from clusters.host_loss import made_again
from clusters.models import (
    Breaker,
    Operation,
    OperationKind,
    Placement,
    PlacementRole,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.moving import PLACEMENT
from clusters.services.operations import operation_start, operation_wait_ends

ACTOR: Final = Actor(user=None, name="marina moves")
AGAIN_AFTER: Final = timedelta(hours=1)
"""What could not be removed is tried again after that."""
_ENDS_BY: Final = {
    PlacementRole.LEAVING: OperationKind.REMOVE_PLACEMENT,
    PlacementRole.LOST: OperationKind.QUARANTINE,
}


def placement_leave(*, placement: Placement, now: datetime, actor: Actor = ACTOR) -> Operation:
    """Of no use any more: an operation removes what is on its host. Call it in a transaction."""
    Placement.objects.filter(pk=placement.pk).update(role=PlacementRole.LEAVING, retained_until=None)
    return operation_start(
        kind=OperationKind.REMOVE_PLACEMENT,
        subject=placement.virtual_cluster,
        actor=actor,
        now=now,
        params={PLACEMENT: str(placement.pk)},
    ).operation


def removal_of(placement: Placement) -> Operation | None:
    """The newest operation that removes it, whether it has ended or not."""
    removals = Operation.objects.filter(kind=OperationKind.REMOVE_PLACEMENT, params__placement=str(placement.pk))
    return removals.order_by("-id").first()


def placements_sweep(*, now: datetime) -> int:
    """Begins to remove what was retained long enough, and what an operation could not remove; how many."""
    over = Q(role=PlacementRole.RETAINED, retained_until__lte=now)
    lost = Q(role=PlacementRole.LOST, host__breaker=Breaker.CLOSED)
    keys = Placement.objects.filter(over | lost | Q(role=PlacementRole.LEAVING)).values_list("pk", flat=True)
    lost_waits_end()
    return sum(_leave_if_due(key, now) for key in list(keys))


def lost_waits_end() -> int:
    """What waits for a host that is lost, and on which its cluster is no more, waits no longer; how many."""
    waiting = Operation.objects.filter(waiting_host__lost_at__isnull=False, virtual_cluster__isnull=False)
    there = Placement.objects.filter(virtual_cluster=OuterRef("virtual_cluster"), host=OuterRef("waiting_host"))
    there = there.filter(role__in=(PlacementRole.ACTIVE, PlacementRole.TARGET))
    own = (OperationKind.QUARANTINE, OperationKind.REMOVE_PLACEMENT)
    stale = list(waiting.exclude(kind__in=own).exclude(Exists(there)))
    for operation in stale:
        operation_wait_ends(operation=operation)
    return len(stale)


@transaction.atomic
def _leave_if_due(key: UUID, now: datetime) -> bool:
    clusters = Placement.objects.filter(pk=key).values("virtual_cluster")
    VirtualCluster.objects.select_for_update(no_key=True).filter(pk__in=clusters).first()
    placement = Placement.objects.select_related("virtual_cluster").filter(pk=key).first()
    if placement is None or not _due(placement, now):
        return False
    if placement.role == PlacementRole.LOST:
        quarantine_start(placement=placement, actor=ACTOR, now=now)
    else:
        placement_leave(placement=placement, now=now)
    return True


def only_copy(placement: Placement) -> bool:
    """Whether it was lost with its host, and its cluster is not back yet: nothing else may tell what was in it."""
    deleted = placement.virtual_cluster.phase == VirtualClusterPhase.DELETED
    return placement.lost_at is not None and not deleted and not made_again(placement)


def quarantine_start(*, placement: Placement, actor: Actor, now: datetime) -> Operation:
    """Has what is left of it there stopped as soon as its host answers. Call it in a transaction."""
    return operation_start(
        kind=OperationKind.QUARANTINE,
        subject=placement.virtual_cluster,
        actor=actor,
        now=now,
        params={PLACEMENT: str(placement.pk)},
    ).operation


def _due(placement: Placement, now: datetime) -> bool:
    if placement.role == PlacementRole.RETAINED:
        over = placement.retained_until is not None and placement.retained_until <= now
        return over and not only_copy(placement)
    kind = _ENDS_BY.get(PlacementRole(placement.role))
    if kind is None:
        return False
    last = Operation.objects.filter(kind=kind, params__placement=str(placement.pk)).order_by("-id").first()
    return last is None or (last.finished_at is not None and last.finished_at <= now - AGAIN_AFTER)
