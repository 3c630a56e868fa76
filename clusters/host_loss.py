"""What it means for virtual clusters that their host is lost: from when they can be made again, and where."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet

from clusters.adoption import Adoption
from clusters.models import (
    Export,
    ExportState,
    HostCluster,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
    VirtualCluster,
)
from clusters.models import VirtualClusterPhase as Phase
from clusters.move_target import elsewhere

NEVER_IN_USE: Final = "Its API never answered, so nobody put anything into it."
_ENDED: Final = (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.ABORTED)


@dataclass(frozen=True, kw_only=True)
class LostCluster:
    """A cluster of a lost host. `placement` is what it is there, `export` the last that tells what was in it.

    `to` is where it would go now; where it can go nowhere, `waits` says why. `blank`: nothing can have been in it.
    """

    cluster: VirtualCluster
    placement: Placement
    export: Export | None
    blank: bool
    to: str
    waits: str

    def age(self, now: datetime) -> timedelta | None:
        """So much of what was written last would be missing; None where that is all of it."""
        return now - self.export.finished_at if self.export and self.export.finished_at else None

    @property
    def sentence(self) -> str:
        """What it comes back as."""
        if self.export is not None and self.export.finished_at is not None:
            return f"As it was exported on {self.export.finished_at:%Y-%m-%d %H:%M} UTC ({self.export.cause})."
        return NEVER_IN_USE if self.blank else "It was never exported: it can only come back empty."


@dataclass(frozen=True, kw_only=True)
class HostLoss:
    """All that a host's loss concerns. `moving`: moves to it, which are put back."""

    host: HostCluster
    members: tuple[LostCluster, ...]
    moving: tuple[Operation, ...] = ()


def host_loss(host: HostCluster) -> HostLoss:
    """As things are now. Of a host that is lost already: what was not made again yet."""
    placements = list(placements_to_recover(host))
    exports = _last_exports([each.virtual_cluster_id for each in placements])
    members = tuple(_member(each, exports.get(each.virtual_cluster_id)) for each in placements)
    return HostLoss(host=host, members=members, moving=tuple(moves_to(host)))


def placements_to_recover(host: HostCluster) -> Iterator[Placement]:
    """What runs there, and what was lost there and is not back. Not what was never adopted: that is somebody else's."""
    rows = Placement.objects.filter(host=host).exclude(virtual_cluster__phase=Phase.DELETED)
    found = rows.filter(Q(role=PlacementRole.ACTIVE) | Q(role__in=_GIVEN_UP, lost_at__isnull=False))
    related = "virtual_cluster__project__organization"
    for placement in found.select_related("host", related).order_by("virtual_cluster_id"):
        adoption = Adoption.of_json(placement.adopted)
        foreign = adoption is not None and not adoption.complete
        if not foreign and (placement.role == PlacementRole.ACTIVE or not _is_back(placement)):
            yield placement


_GIVEN_UP: Final = (PlacementRole.LOST, PlacementRole.RETAINED)


def given_up(cluster: VirtualCluster) -> Placement | None:
    """What was lost of it with its host, as long as it is not made again and that is not at work either."""
    rows = Placement.objects.filter(virtual_cluster=cluster, role__in=_GIVEN_UP, lost_at__isnull=False)
    return next((each for each in rows.select_related("host").order_by("-lost_at") if not _is_back(each)), None)


def made_again(placement: Placement) -> bool:
    """Whether its cluster is back elsewhere since it was given up."""
    made = _recoveries(placement).filter(state=OperationState.SUCCEEDED, finished_at__gte=placement.lost_at)
    return made.exists()


def _is_back(placement: Placement) -> bool:
    """Whether it was made again since, or that is at work."""
    return made_again(placement) or _recoveries(placement).exclude(state__in=_ENDED).exists()


def _recoveries(placement: Placement) -> QuerySet[Operation]:
    return Operation.objects.filter(virtual_cluster=placement.virtual_cluster_id, kind=OperationKind.RECOVER)


def _last_exports(clusters: Iterable[object]) -> dict[object, Export]:
    complete = Export.objects.filter(virtual_cluster__in=list(clusters), state=ExportState.COMPLETE)
    newest = complete.order_by("virtual_cluster_id", "-finished_at").distinct("virtual_cluster_id")
    return {each.virtual_cluster_id: each for each in newest.defer("key", "spec", "left_out")}


def _member(placement: Placement, export: Export | None) -> LostCluster:
    cluster = placement.virtual_cluster
    found = elsewhere(cluster)
    return LostCluster(
        cluster=cluster,
        placement=placement,
        export=export,
        blank=not placement.kubernetes_version and placement.adopted is None,
        to=found.host.name if found.host else "",
        waits=" ".join(each.why for each in found.refusals),
    )


def moves_to(host: HostCluster) -> Iterator[Operation]:
    """Moves that have begun to make something there."""
    targets = Placement.objects.filter(host=host, role=PlacementRole.TARGET).values("virtual_cluster")
    moves = Operation.objects.filter(kind=OperationKind.MIGRATE, virtual_cluster__in=targets)
    yield from moves.exclude(state__in=_ENDED).select_related("virtual_cluster__project__organization").order_by("pk")
