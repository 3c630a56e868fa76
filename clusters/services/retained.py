"""Giving up early what a virtual cluster left on the host that it moved away from: then there is no way back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts.access import in_reach, platform_staff
from accounts.errors import Conflict, InvalidInput, MarinaError
from accounts.services.audit import Actor, audit_record
from clusters.access import host_require
from clusters.models import (
    Breaker,
    HostCluster,
    Operation,
    OperationKind,
    Placement,
    PlacementRole,
    VirtualCluster,
)
from clusters.services.cluster_rows import virtual_cluster_audit, virtual_cluster_locked
from clusters.services.migrating import ACTION, move_require
from clusters.services.placements import only_copy, placement_leave, removal_of

_NEED_IT: Final = (OperationKind.MIGRATE, OperationKind.RECOVER)
"""What may go back to it, or go on from it."""


@dataclass(frozen=True, kw_only=True)
class StillKept:
    """A cluster of which the host keeps what it left, and the sentence that says why."""

    virtual_cluster: VirtualCluster
    why: str


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """The removals that were begun on a host, and what stays there for now."""

    host: HostCluster
    operations: tuple[Operation, ...]
    kept: tuple[StillKept, ...]


@transaction.atomic
def retained_give_up(*, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, host: str = "") -> Operation:
    """Begins to remove what it left where it was before; the operation that does it. It cannot go back there then.

    `host`, a name or an id, says which, where several keep something of it. For who may move it. Raises Conflict where
    nothing is kept (`nothing-retained`), where a move or a recovery is under way, and where it may be all there is of
    the cluster (`only-copy`); InvalidInput naming `host` where that does not say which.
    """
    move_require(actor, virtual_cluster)
    locked = virtual_cluster_locked(virtual_cluster)
    _at_work_check(locked)
    placement = _chosen(locked, host)
    _not_the_last(locked, placement)
    operation = placement_leave(placement=placement, now=now, actor=actor)
    details = {"operation": str(operation.pk), "host": placement.host.name}
    virtual_cluster_audit(actor, "virtualcluster.forget-retained", locked, details=details)
    return operation


@transaction.atomic
def host_retained_give_up(*, host: HostCluster, actor: Actor, now: datetime) -> GivenUp:
    """The same for all that a host keeps of clusters that moved away; what cannot be given up stays, and says why.

    For who may change the host, and of each cluster for who may move it: platform staff may with all.
    """
    if actor.user is not None and not actor.platform:
        host_require(actor.user, "host.update", host)
    operations: list[Operation] = []
    kept: list[StillKept] = []
    for cluster, may in _left_on(host, actor):
        try:
            if not may:
                raise Conflict("It takes a role that may move it.")
            with transaction.atomic():
                operations.append(retained_give_up(virtual_cluster=cluster, actor=actor, now=now, host=str(host.pk)))
        except MarinaError as refused:
            kept.append(StillKept(virtual_cluster=cluster, why=refused.message))
    audit_record(
        actor=actor,
        action="host.forget-retained",
        kind="host-cluster",
        object_id=host.pk,
        name=host.name,
        organization_id=host.organization_id,
        details={"begun": len(operations), "kept": len(kept)},
    )
    return GivenUp(host=host, operations=tuple(operations), kept=tuple(kept))


def _left_on(host: HostCluster, actor: Actor) -> Iterator[tuple[VirtualCluster, bool]]:
    """In one order always, as each is locked; with whether the acting person may move it."""
    there = Placement.objects.filter(host=host, role=PlacementRole.RETAINED).values("virtual_cluster")
    clusters = VirtualCluster.objects.filter(pk__in=there)
    everything = actor.user is None or actor.platform or platform_staff(actor.user)
    mine = Q() if everything or actor.user is None else in_reach(actor.user, ACTION)
    may = set(clusters.filter(mine).values_list("pk", flat=True))
    for cluster in clusters.select_related("project__organization").order_by("pk"):
        yield cluster, cluster.pk in may


def _at_work_check(cluster: VirtualCluster) -> None:
    work = Operation.objects.filter(virtual_cluster=cluster, kind__in=_NEED_IT, finished_at=None)
    if found := work.order_by("pk").first():
        raise Conflict(
            f"{cluster} is busy: {found.kind} is at work, which may need what is kept of it.",
            hint=f"Wait for operation {found.pk}, then try again (marina op watch {found.pk}).",
            operation_id=found.pk,
        )


def _chosen(cluster: VirtualCluster, host: str) -> Placement:
    rows = Placement.objects.filter(virtual_cluster=cluster).select_related("host", "virtual_cluster")
    kept = list(rows.filter(role=PlacementRole.RETAINED).order_by("host__name"))
    named = [each for each in kept if host in ("", each.host.name, str(each.host_id))]
    if len(named) == 1:
        return named[0]
    leaving = [each for each in rows.filter(role=PlacementRole.LEAVING) if host in ("", each.host.name)]
    if kept and not (host and leaving):
        raise InvalidInput(
            f"What {cluster} left is kept on {', '.join(each.host.name for each in kept)}.",
            field="host",
            accepted=" or ".join(each.host.name for each in kept),
        )
    raise _nothing_kept(cluster, leaving[0] if leaving else None)


def _nothing_kept(cluster: VirtualCluster, leaving: Placement | None) -> Conflict:
    if leaving is None:
        told = f"{cluster} was not moved, or what it left is removed: there is nothing to give up."
        return Conflict(told, code="nothing-retained")
    removal = removal_of(leaving)
    told = f"What {cluster} left on {leaving.host.name} is being removed already."
    hint = f"Follow it: marina op watch {removal.pk}." if removal else ""
    return Conflict(told, code="nothing-retained", hint=hint, operation_id=removal.pk if removal else None)


def _not_the_last(cluster: VirtualCluster, kept: Placement) -> None:
    """Of a host that is lost it goes on from what is kept of it; so that stays while nobody knows whether it is."""
    active = Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).select_related("host").first()
    if active is not None and active.host.breaker != Breaker.OPEN and not only_copy(kept):
        return
    where = f"{active.host.name}, on which it is now, does not answer" if active else "It is on no other host"
    raise Conflict(
        f"What {kept.host.name} keeps of {cluster} may be all there is of it. {where}.",
        code="only-copy",
        hint="Give it up once the cluster is Ready elsewhere.",
    )
