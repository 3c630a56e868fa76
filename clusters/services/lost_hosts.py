"""Saying that a host is lost, and that it is found again: what was on it is made again elsewhere."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from accounts.errors import Conflict, InvalidInput
from accounts.services.audit import Actor, audit_record
from clusters.access import host_require
from clusters.host_loss import HostLoss, LostCluster, host_loss
from clusters.models import (
    Breaker,
    HostCluster,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
    VirtualCluster,
)
from clusters.moving import SLEPT
from clusters.recovery import EMPTY, LOST_HOST
from clusters.restoration import EXPORT
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.operations import operation_end_early, operation_start, operation_wait_ends
from clusters.services.placements import quarantine_start
from clusters.services.recovery_notices import losses_tell

ACTION: Final = "host.update"
REASON_MOST: Final = 500


@dataclass(frozen=True, kw_only=True)
class HostLost:
    """What was begun: `loss` as it was seen before, and an operation for each cluster that is made again."""

    host: HostCluster
    loss: HostLoss
    operations: tuple[Operation, ...]


@transaction.atomic
def host_lost(
    *, host: HostCluster, actor: Actor, now: datetime, reason: str = "", force: bool = False, empty: bool = False
) -> HostLost:
    """Gives the host up: cordons it, and has each cluster on it made again on another host, from its last export.

    For who may change the host. Conflict while it answers, unless `force` and a reason are given: what runs there
    would then run twice until it is stopped. `empty`: what was never exported comes back empty. Said once more, it
    begins anew what has not come back.
    """
    _require(actor, host)
    reason = _reason_checked(reason, force=force)
    _clusters_lock(host)
    loss = host_loss(host)
    locked = HostCluster.objects.select_for_update(of=("self",), no_key=True).get(pk=host.pk)
    if locked.lost_at is None:
        _silent_check(locked, force=force)
        _marked(locked, actor, reason, loss, now)
    operations = [_recovery_begun(each, actor, now, empty=empty) for each in loss.members]
    for move in loss.moving:
        operation_end_early(operation=move, why=f"{host.name}, to which it was moved, is lost.", now=now)
    losses_tell(loss, now=now)
    return HostLost(host=locked, loss=loss, operations=tuple(each for each in operations if each))


@transaction.atomic
def host_found(*, host: HostCluster, actor: Actor, now: datetime) -> HostCluster:
    """It counts as lost no more. It stays cordoned, and what was made again elsewhere stays there.

    What is not back goes on where it was, with all that is in it. Conflict where the host is not lost, or does not
    answer yet.
    """
    _require(actor, host)
    _clusters_lock(host)
    locked = HostCluster.objects.select_for_update(of=("self",), no_key=True).get(pk=host.pk)
    if locked.lost_at is None:
        raise Conflict(f"{host.name} does not count as lost.")
    if locked.breaker != Breaker.CLOSED:
        raise Conflict(f"{host.name} does not answer yet.", hint=f"See: marina host get {host.name}.")
    before = locked.lost_at
    locked.lost_at, locked.lost_why = None, ""
    locked.generation += 1
    locked.save(update_fields=["lost_at", "lost_why", "generation"])
    _audit(actor, "host.found", locked, before={"lost_at": before.isoformat()}, after={"lost_at": None})
    for each in host_loss(host).members:
        if each.placement.lost_at is not None:
            _recovery_begun(each, actor, now, empty=False)
    return locked


def _clusters_lock(host: HostCluster) -> None:
    """First, and in one order: workers lock a cluster before they lock its host."""
    clusters = Placement.objects.filter(host=host).values("virtual_cluster")
    locks = VirtualCluster.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=clusters)
    list(locks.order_by("pk").values_list("pk", flat=True))


def _require(actor: Actor, host: HostCluster) -> None:
    if actor.user is not None and not actor.platform:
        host_require(actor.user, ACTION, host)


def _reason_checked(reason: str, *, force: bool) -> str:
    text = reason.strip()
    if len(text) > REASON_MOST:
        raise InvalidInput("This reason is too long.", field="reason", accepted=f"at most {REASON_MOST} characters")
    if force and not text:
        raise InvalidInput("Why it is given up although it answers is not said.", field="reason", accepted="a sentence")
    return text


def _silent_check(host: HostCluster, *, force: bool) -> None:
    if host.breaker == Breaker.OPEN or force:
        return
    raise Conflict(
        f"{host.name} answers, so it is not lost: what runs there would run twice.",
        hint=f"Empty it instead: marina host evacuate {host.name}. To give it up all the same: --force --reason WHY.",
        code="host-answers",
    )


def _marked(host: HostCluster, actor: Actor, reason: str, loss: HostLoss, now: datetime) -> None:
    before = {"cordoned": host.cordoned, "lost_at": None}
    host.cordoned, host.lost_at, host.lost_why = True, now, reason
    host.generation += 1
    host.save(update_fields=["cordoned", "lost_at", "lost_why", "generation"])
    after = {"cordoned": True, "lost_at": now.isoformat()}
    details = {"clusters": len(loss.members), **({"reason": reason} if reason else {})}
    _audit(actor, "host.lost", host, before=before, after=after, details=details)


def _recovery_begun(lost: LostCluster, actor: Actor, now: datetime, *, empty: bool) -> Operation | None:
    """None where it is being deleted: that ends without the host."""
    placement, cluster = lost.placement, lost.cluster
    if placement.role == PlacementRole.ACTIVE:
        given_up = {"role": PlacementRole.LOST, "role_since": now, "lost_at": now, "retained_until": None}
        Placement.objects.filter(pk=placement.pk).update(**given_up)
        quarantine_start(placement=placement, actor=actor, now=now)
    if deletion := _deletion(cluster):
        operation_wait_ends(operation=deletion)
        return None
    params: dict[str, Any] = {LOST_HOST: placement.host.name, EMPTY: empty or lost.blank}
    params |= {EXPORT: str(lost.export.pk)} if lost.export else {}
    params |= {SLEPT: slept} if (slept := _slept(cluster)) else {}
    begun = operation_start(kind=OperationKind.RECOVER, subject=cluster, actor=actor, now=now, params=params).operation
    details = {"operation": str(begun.pk), "host": placement.host.name, "export": params.get(EXPORT, "")}
    virtual_cluster_audit(actor, "virtualcluster.recover", cluster, details=details)
    return begun


def _deletion(cluster: VirtualCluster) -> Operation | None:
    deletions = Operation.objects.filter(virtual_cluster=cluster, kind=OperationKind.DELETE, abort_requested=False)
    return deletions.filter(finished_at=None).order_by("-pk").first()


def _slept(cluster: VirtualCluster) -> dict[str, str] | None:
    """How it falls asleep again; also where an earlier operation woke it for its own sake and did not end well."""
    if cluster.sleeping:
        return {"by": cluster.asleep_by, "why": cluster.asleep_why}
    last = Operation.objects.filter(virtual_cluster=cluster, lock_key__isnull=False, started_at__isnull=False)
    found = last.order_by("-pk").first()
    if found is None or found.state == OperationState.SUCCEEDED:
        return None
    slept: dict[str, str] | None = found.params.get(SLEPT)
    return slept


def _audit(actor: Actor, action: str, host: HostCluster, **told: Any) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="host-cluster",
        object_id=host.pk,
        name=host.name,
        organization_id=host.organization_id,
        **told,
    )
