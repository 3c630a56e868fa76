"""Moving a virtual cluster to another host, and looking at what that would meet."""

from datetime import datetime

from django.db import transaction

from accounts.access import platform_staff, require
from accounts.errors import Conflict, InvalidInput
from accounts.services.audit import Actor
from clusters.models import Operation, OperationKind, VirtualCluster
from clusters.models import VirtualClusterPhase as Phase
from clusters.move_target import MoveRefusal, MoveTarget, move_target, source_refusals
from clusters.move_wish import MoveWish
from clusters.moving import BACK, TO
from clusters.services.cluster_rows import virtual_cluster_audit, virtual_cluster_locked
from clusters.services.configuring import gone_refuse
from clusters.services.operations import operation_start
from clusters.services.preflights import preflight_start
from clusters.services.virtual_clusters import ClusterWork

ACTION = "virtualcluster.migrate"


@transaction.atomic
def virtual_cluster_migrate(
    *, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, move: MoveWish
) -> ClusterWork:
    """Starts the move. It asks nobody any more: what is still to be chosen ends the operation before anything is done.

    For who has the role, and for platform staff; looking after a host is not enough. Raises InvalidInput that names
    the field where the host cannot take it, and Conflict where the cluster is not there to be moved, or another
    operation is in the way.
    """
    move_require(actor, virtual_cluster)
    move.check()
    locked = virtual_cluster_locked(virtual_cluster)
    _there_check(locked)
    # first, so that whoever comes second is told what is at work; where more is in the way, nothing of it stays
    started = operation_start(kind=OperationKind.MIGRATE, subject=locked, actor=actor, now=now, params=move.as_params())
    _source_check(locked)
    target = _target(locked, move, now)
    virtual_cluster_audit(
        actor,
        ACTION,
        locked,
        details={
            "operation": str(started.operation.pk),
            "to": target.host.name if target.host and (move.to or move.back) else "",
            "back": move.back,
            **({"choices": dict(move.choices)} if move.choices else {}),
        },
    )
    return ClusterWork(locked, started.operation, created=started.created)


@transaction.atomic
def virtual_cluster_migrate_preflight(
    *, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, move: MoveWish
) -> Operation:
    """Starts a look at what the move would meet. The operation shows the report; what keeps it from a host is in it."""
    move_require(actor, virtual_cluster)
    move.check()
    locked = virtual_cluster_locked(virtual_cluster)
    _there_check(locked)
    _source_check(locked)
    operation = preflight_start(
        of=OperationKind.MIGRATE, virtual_cluster=locked, actor=actor, now=now, params=move.as_params()
    )
    virtual_cluster_audit(actor, "virtualcluster.migrate-preflight", locked, details={"operation": str(operation.pk)})
    return operation


def move_require(actor: Actor, cluster: VirtualCluster) -> None:
    """Lets pass who may move it: by a role, as platform staff (they empty hosts), or Marina itself."""
    if actor.user is not None and not actor.platform and not platform_staff(actor.user):
        require(actor.user, ACTION, cluster)


def _there_check(cluster: VirtualCluster) -> None:
    """Raises Conflict for what is gone, going, or not whole."""
    gone_refuse(cluster)
    if cluster.phase == Phase.DELETING:
        raise Conflict(f"{cluster} is being deleted; it is not moved any more.")
    if cluster.phase == Phase.FAILED:
        raise Conflict(
            f"{cluster} is Failed, so nobody knows what would be carried.",
            hint=f"Bring it back first: marina configure {cluster.name} --project {cluster.project}.",
        )


def _source_check(cluster: VirtualCluster) -> None:
    for refusal in source_refusals(cluster):
        raise Conflict(refusal.why, hint=refusal.hint, code=refusal.code)


def _target(cluster: VirtualCluster, move: MoveWish, now: datetime) -> MoveTarget:
    found = move_target(cluster=cluster, wish=move, now=now)
    if not found.refusals:
        return found
    first = found.refusals[0]
    if first.code == "nothing-retained":
        raise Conflict(first.why, hint=first.hint, code=first.code)
    raise _refused(found.refusals, field=BACK if move.back else TO)


def _refused(refusals: tuple[MoveRefusal, ...], *, field: str) -> InvalidInput:
    return InvalidInput(
        " ".join(each.why for each in refusals),
        field=field,
        accepted="another host that is connected, takes new clusters, is offered to this project, and can run this one",
        hint=next((each.hint for each in refusals if each.hint), ""),
        code=refusals[0].code,
    )
