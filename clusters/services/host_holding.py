"""What keeps a host from being forgotten: what lives there, what is on its way, and what others left behind.

What was left belongs to clusters that live elsewhere. Nobody is told to delete these.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.errors import Conflict
from accounts.services.audit import Actor
from clusters.access import clusters_told
from clusters.models import HostCluster, Placement, PlacementRole, VirtualCluster, VirtualClusterPhase

_NAMED_MOST: Final = 10


@dataclass(frozen=True)
class _Holding:
    """Some of what is there, in a sentence, and what to do about it."""

    told: str
    hint: str


def host_held_refuse(*, host: HostCluster, actor: Actor) -> None:
    """Raises Conflict that names all that is on a host or is to be, by those names that the acting person may hear."""
    found = [holding for look in _LOOKS for holding in look(host, actor)]
    if found:
        raise Conflict(" ".join(each.told for each in found), hint=" ".join(each.hint for each in found))


def _living(host: HostCluster, actor: Actor) -> Iterator[_Holding]:
    """What runs or sleeps there, and what is to be made there."""
    active = Placement.objects.filter(virtual_cluster=OuterRef("pk"), role=PlacementRole.ACTIVE)
    wanted = Q(wanted_host=host) & ~Q(phase=VirtualClusterPhase.DELETED) & ~Exists(active)
    clusters = VirtualCluster.objects.filter(Exists(active.filter(host=host)) | wanted)
    if count := clusters.count():
        yield _Holding(
            f"{host.name} still holds {count} virtual clusters, or is to: {_names(clusters, actor)}.",
            f"Move them away (marina host evacuate {host.name}), or delete them.",
        )


def _coming(host: HostCluster, actor: Actor) -> Iterator[_Holding]:
    clusters = _with(host, Q(role=PlacementRole.TARGET))
    if count := clusters.count():
        yield _Holding(
            f"{_are(count, 'is', 'are')} being moved to {host.name}: {_names(clusters, actor)}.",
            "Wait for these moves, or abort them (marina op abort).",
        )


def _kept(host: HostCluster, actor: Actor) -> Iterator[_Holding]:
    rows = Q(role=PlacementRole.RETAINED, lost_at=None)
    clusters = _with(host, rows)
    if count := clusters.count():
        last = Placement.objects.filter(rows, host=host).order_by("-retained_until").values_list("retained_until")
        until = next((time for (time,) in last.exclude(retained_until=None)[:1]), None)
        copies = "a copy of 1 cluster that" if count == 1 else f"copies of {count} clusters that"
        yield _Holding(
            f"{host.name} keeps {copies} moved away{f', until {until:%Y-%m-%d}' if until else ''}:"
            f" {_names(clusters, actor)}.",
            f"Wait until then, or give up what is kept (they cannot go back then): {_forget(host)}.",
        )


def _lost(host: HostCluster, actor: Actor) -> Iterator[_Holding]:
    clusters = _with(host, Q(role=PlacementRole.LOST) | Q(role=PlacementRole.RETAINED, lost_at__isnull=False))
    if count := clusters.count():
        yield _Holding(
            f"{host.name} still has what {_are(count, 'was', 'were')} there when it was given up as lost:"
            f" {_names(clusters, actor)}.",
            "It is stopped first, and removed some days after they are back elsewhere; earlier, once it is stopped,"
            f" by {_forget(host)}.",
        )


def _leaving(host: HostCluster, actor: Actor) -> Iterator[_Holding]:
    clusters = _with(host, Q(role=PlacementRole.LEAVING))
    if count := clusters.count():
        left = "1 cluster" if count == 1 else f"{count} clusters"
        yield _Holding(
            f"What {left} left on {host.name} is being removed: {_names(clusters, actor)}.",
            "Try again when that is done.",
        )


_LOOKS: Final[tuple[Callable[[HostCluster, Actor], Iterator[_Holding]], ...]] = (
    _living,
    _coming,
    _kept,
    _lost,
    _leaving,
)


def _with(host: HostCluster, placements: Q) -> QuerySet[VirtualCluster]:
    there = Placement.objects.filter(placements, host=host)
    return VirtualCluster.objects.filter(pk__in=there.values("virtual_cluster"))


def _are(count: int, one: str, many: str) -> str:
    return f"1 cluster {one}" if count == 1 else f"{count} clusters {many}"


def _forget(host: HostCluster) -> str:
    return f"marina host disconnect {host.name} --forget-retained"


def _names(clusters: QuerySet[VirtualCluster], actor: Actor) -> str:
    """Of those that the acting person may hear of: an organization's host may have been offered to others."""
    heard = clusters.filter(clusters_told(actor))
    names = sorted(str(cluster) for cluster in heard.select_related("project__organization"))
    hidden = clusters.count() - len(names)
    return ", ".join([*names[:_NAMED_MOST], *([f"{hidden} that you may not see"] if hidden else [])])
