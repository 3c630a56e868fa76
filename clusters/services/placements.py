"""What becomes of placements that are not the active one: kept for a while, then removed from their hosts."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.services.audit import Actor
from clusters.models import Operation, OperationKind, Placement, PlacementRole, VirtualCluster
from clusters.moving import PLACEMENT
from clusters.services.operations import operation_start

ACTOR: Final = Actor(user=None, name="marina moves")
AGAIN_AFTER: Final = timedelta(hours=1)
"""What could not be removed is tried again after that."""


def placement_leave(*, placement: Placement, now: datetime) -> None:
    """Of no use any more: an operation removes what is on its host. Call it in a transaction."""
    Placement.objects.filter(pk=placement.pk).update(role=PlacementRole.LEAVING, retained_until=None)
    operation_start(
        kind=OperationKind.REMOVE_PLACEMENT,
        subject=placement.virtual_cluster,
        actor=ACTOR,
        now=now,
        params={PLACEMENT: str(placement.pk)},
    )


def placements_sweep(*, now: datetime) -> int:
    """Begins to remove what was retained long enough, and what an operation could not remove; how many."""
    over = Q(role=PlacementRole.RETAINED, retained_until__lte=now)
    keys = Placement.objects.filter(over | Q(role=PlacementRole.LEAVING)).values_list("pk", flat=True)
    return sum(_leave_if_due(key, now) for key in list(keys))


@transaction.atomic
def _leave_if_due(key: UUID, now: datetime) -> bool:
    clusters = Placement.objects.filter(pk=key).values("virtual_cluster")
    VirtualCluster.objects.select_for_update(no_key=True).filter(pk__in=clusters).first()
    placement = Placement.objects.select_related("virtual_cluster").filter(pk=key).first()
    if placement is None or not _due(placement, now):
        return False
    placement_leave(placement=placement, now=now)
    return True


def _due(placement: Placement, now: datetime) -> bool:
    if placement.role == PlacementRole.RETAINED:
        return placement.retained_until is not None and placement.retained_until <= now
    if placement.role != PlacementRole.LEAVING:
        return False
    removals = Operation.objects.filter(kind=OperationKind.REMOVE_PLACEMENT, params__placement=str(placement.pk))
    last = removals.order_by("-id").first()
    return last is None or (last.finished_at is not None and last.finished_at <= now - AGAIN_AFTER)
