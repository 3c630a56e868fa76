"""Changing what is wanted of a virtual cluster, and bringing one back to what is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from accounts.access import actor_require, platform_staff
from accounts.errors import Conflict, InvalidInput
from accounts.services.audit import Actor
from clusters.chart_values import values_check
from clusters.exports.purging import took_something
from clusters.host_loss import given_up
from clusters.models import (
    Exposure,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
    VirtualCluster,
)
from clusters.models import VirtualClusterPhase as Phase
from clusters.names import labels_validate
from clusters.selectors import chart_schema
from clusters.services.cleanup_calling_off import deletion_call_off
from clusters.services.cluster_rows import virtual_cluster_audit, virtual_cluster_locked
from clusters.services.operations import operation_start
from clusters.services.virtual_clusters import ClusterWork
from clusters.sizes import SIZES
from clusters.versions import kubernetes_version_resolve

UPGRADE: Final = "Another version is an upgrade, which is asked for by itself; a change of its settings keeps both."
FIXED_VALUES: Final[Mapping[tuple[str, ...], str]] = {
    ("controlPlane", "backingStore"): "The backing store holds the cluster's state and cannot be exchanged.",
    ("controlPlane", "statefulSet", "persistence"): "Kubernetes lets nobody change the volumes of a StatefulSet.",
}
"""Chart values that are as they were when the cluster was made, and why."""


@dataclass(frozen=True, kw_only=True)
class SpecChange:
    """What is to be different; None leaves it as it is. `values` takes the place of all that were given before."""

    kubernetes_version: str | None = None
    chart_version: str | None = None
    size: str | None = None
    exposure: str | None = None
    values: dict[str, Any] | None = None
    replicas: int | None = None
    region: str | None = None
    host_labels: dict[str, str] | None = None


@transaction.atomic
def virtual_cluster_configure(
    *,
    virtual_cluster: VirtualCluster,
    actor: Actor,
    now: datetime,
    change: SpecChange | None = None,
    labels: dict[str, str] | None = None,
    deletion_protection: bool | None = None,
) -> ClusterWork:
    """Writes what is wanted from now on, and the `configure` operation that brings it about.

    Without a change, or with one that changes nothing, the generation stays, and what somebody did to the cluster on
    its host is put right. InvalidInput names the field, Conflict what is in the way; then nothing is written.
    """
    actor_require(actor, "virtualcluster.update", virtual_cluster)
    locked = virtual_cluster_locked(virtual_cluster)
    gone_refuse(locked)
    wanted = _wanted(locked, change, staff=actor.user is None or platform_staff(actor.user)) if change else {}
    if labels is not None:
        labels_validate(labels)
        wanted["labels"] = labels
    if deletion_protection is not None:
        wanted["deletion_protection"] = deletion_protection
    if deletion_protection:
        deletion_call_off(virtual_cluster=locked.pk, now=now)
    changed = {name: value for name, value in wanted.items() if getattr(locked, name) != value}
    before = {name: getattr(locked, name) for name in changed}
    if changed:
        for name, value in changed.items():
            setattr(locked, name, value)
        locked.generation += 1
        locked.save(update_fields=[*changed, "generation"])
    started = operation_start(kind=OperationKind.CONFIGURE, subject=locked, actor=actor, now=now)
    if started.created or changed:
        _audit(actor, locked, before, changed)
    return ClusterWork(locked, started.operation, created=started.created or bool(changed))


def gone_refuse(cluster: VirtualCluster) -> None:
    """Raises Conflict for what is no more, or not Marina's yet.

    A deletion that began has taken something away for good; nobody is to believe that it comes back."""
    if cluster.phase == Phase.DELETED:
        raise Conflict(f"{cluster} was deleted; nothing of it can be changed.")
    _refuse_half_adopted(cluster)
    _refuse_lost(cluster)
    begun = Operation.objects.filter(virtual_cluster=cluster, kind=OperationKind.DELETE, started_at__isnull=False)
    ended = next((each for each in begun.exclude(finished_at=None).order_by("-id") if took_something(each)), None)
    if ended is not None:
        raise Conflict(
            f"The deletion of {cluster} was begun, so what was in it may be gone.",
            hint=f"End it with `marina delete {cluster.name}`, then make a new cluster.",
            operation_id=ended.pk,
        )


def _refuse_lost(cluster: VirtualCluster) -> None:
    """It would be made anew, and empty."""
    lost = given_up(cluster)
    if lost is not None:
        raise Conflict(
            f"{cluster} was lost with its host {lost.host.name}, and is not made again yet.",
            hint=f"Who looks after that host begins it anew: marina host lost {lost.host.name}.",
            code="lost",
        )


def _refuse_half_adopted(cluster: VirtualCluster) -> None:
    """Its release is not Marina's to change before its adoption succeeded."""
    adoptions = Operation.objects.filter(virtual_cluster=cluster, kind=OperationKind.ADOPT)
    newest = adoptions.order_by("-id").first()
    if newest is not None and newest.state in (OperationState.FAILED, OperationState.ABORTED):
        raise Conflict(
            f"The adoption of {cluster} did not succeed ({newest.state}), so nothing of it is changed.",
            hint=f"Try it again with `marina op retry {newest.pk}`, or forget it with `marina delete {cluster.name}`, "
            "which leaves its release as it is.",
            operation_id=newest.pk,
        )


def _wanted(cluster: VirtualCluster, change: SpecChange, *, staff: bool) -> dict[str, Any]:
    """The columns that the change names, checked as when a cluster is made."""
    _refuse_upgrade(cluster, change)
    if change.replicas is not None and change.replicas != cluster.replicas:
        raise InvalidInput(
            "The replicas of the control plane are what they were when the cluster was made.",
            field="spec.control_plane.replicas",
            accepted=str(cluster.replicas),
        )
    _refuse_move(cluster, change)
    wanted: dict[str, Any] = {}
    if change.size is not None:
        wanted["size"] = _size(change.size)
    if change.exposure is not None:
        wanted["exposure"] = _exposure(cluster, change.exposure)
    if change.values is not None:
        # what was there before may stay, also where only staff may set it: an adopted cluster brought it along
        new = _without_same(change.values, cluster.values)
        values_check(new, schema=chart_schema(cluster.chart_version), acting_staff=staff)
        _refuse_fixed(cluster, change.values)
        wanted["values"] = change.values
    return wanted


def _refuse_upgrade(cluster: VirtualCluster, change: SpecChange) -> None:
    if change.chart_version and change.chart_version != cluster.chart_version:
        raise InvalidInput(
            UPGRADE, field="spec.chart_version", accepted=cluster.chart_version, hint=_upgrade_by(cluster, "--chart")
        )
    asked = change.kubernetes_version
    if not asked or asked == cluster.kubernetes_version:
        return
    if str(kubernetes_version_resolve(asked, supported=settings.KUBERNETES_VERSIONS)) != cluster.kubernetes_version:
        raise InvalidInput(
            UPGRADE,
            field="spec.kubernetes_version",
            accepted=cluster.kubernetes_version,
            hint=_upgrade_by(cluster, "--to"),
        )


def _upgrade_by(cluster: VirtualCluster, option: str) -> str:
    return f"marina upgrade {cluster.name} {option} VERSION --project {cluster.project}"


def _refuse_move(cluster: VirtualCluster, change: SpecChange) -> None:
    for name, asked, has in (
        ("region", change.region, cluster.wanted_region),
        ("host_labels", change.host_labels, cluster.wanted_host_labels),
    ):
        if asked is not None and asked != has:
            raise InvalidInput(
                "Where it is placed is chosen when it is made.",
                field=f"spec.{name}",
                accepted="what was given when the cluster was made" if has else "leave it out",
            )


def _size(size: str) -> str:
    if size not in SIZES:
        raise InvalidInput(f"There is no size {size!r}.", field="spec.size", accepted=f"one of {', '.join(SIZES)}")
    return size


def _exposure(cluster: VirtualCluster, exposure: str) -> str:
    if exposure and exposure not in Exposure.values:
        raise InvalidInput(
            f"There is no exposure {exposure}.",
            field="spec.exposure",
            accepted=f"one of {', '.join(Exposure.values)}, or nothing for the host's own",
        )
    placement = Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE)
    host = next((found.host for found in placement.select_related("host")), None)
    if host is not None and exposure not in ("", Exposure.NONE, host.exposure):
        raise InvalidInput(
            f"Its host {host.name} publishes APIs by exposure {host.exposure}, not {exposure}.",
            field="spec.exposure",
            accepted=f"{' or '.join(dict.fromkeys([str(host.exposure), str(Exposure.NONE)]))}",
        )
    return exposure


def _refuse_fixed(cluster: VirtualCluster, values: dict[str, Any]) -> None:
    for path, why in FIXED_VALUES.items():
        before = _at(cluster.values, path)
        if _at(values, path) != before:
            raise InvalidInput(
                why,
                field=f"spec.values.{'.'.join(path)}",
                accepted="what was given when the cluster was made" if before else "leave it out",
            )


def _without_same(values: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Less every key that has the value it had."""
    new = {}
    for key, value in values.items():
        had = before.get(key)
        if key in before and value == had:
            continue
        new[key] = _without_same(value, had) if isinstance(value, dict) and isinstance(had, dict) else value
    return new


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values or {}


def _audit(actor: Actor, cluster: VirtualCluster, before: dict[str, Any], changed: dict[str, Any]) -> None:
    # which values were given stands in the cluster; the log says that they changed, as they can hold passwords
    after = {name: "changed" if name == "values" else value for name, value in changed.items()}
    virtual_cluster_audit(
        actor,
        "virtualcluster.configure",
        cluster,
        before={name: value for name, value in before.items() if name != "values"},
        after=after,
    )
