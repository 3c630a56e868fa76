"""Upgrading a virtual cluster: to which versions, by which way, and the operation that goes it.

What is asked for stands in the operation's params. The cluster's own columns are written by the operation, hop by hop,
so that nothing else brings a version about before everything was exported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import Conflict, InvalidInput
from accounts.services.audit import Actor
from clusters.adoption import Adoption
from clusters.models import Operation, OperationKind, Placement, VirtualCluster
from clusters.models import VirtualClusterPhase as Phase
from clusters.preflight import CHOICES
from clusters.services.cluster_rows import virtual_cluster_audit, virtual_cluster_locked
from clusters.services.configuring import gone_refuse
from clusters.services.operations import operation_start
from clusters.services.preflights import preflight_start
from clusters.services.virtual_clusters import ClusterWork
from clusters.upgrade_choices import upgrade_choices_check
from clusters.upgrade_offer import ground_of, offer_now, placement_of, versions_of
from clusters.upgrade_versions import CHART_FIELD, KUBERNETES_FIELD, Ground, Offer, Versions, chart_parse
from clusters.upgrading import newest_reachable, way_find
from clusters.versions import KubernetesVersion, kubernetes_version_resolve

ACTION: Final = "virtualcluster.upgrade"
TO: Final = "to"
"""In the params of an `upgrade` and its preflight: the versions that are asked for."""


@dataclass(frozen=True, kw_only=True)
class VersionChange:
    """What is to be new; None leaves it as it is. Both None: the newest that there is a way to.

    A minor (`1.36`) means the newest patch of it that is offered.
    """

    kubernetes_version: str | None = None
    chart_version: str | None = None


@transaction.atomic
def virtual_cluster_upgrade(
    *,
    virtual_cluster: VirtualCluster,
    actor: Actor,
    now: datetime,
    change: VersionChange,
    choices: Mapping[str, str] | None = None,
) -> ClusterWork:
    """Starts the upgrade, one minor after the other. InvalidInput says why there is no way, and what the next step is.

    Conflict where it is not there to be upgraded, or something else is at work that cannot be waited for. What blocks
    it, or has to be chosen, is looked at when it begins and ends it before anything is done: see `upgrade_preflight`.
    """
    actor_require(actor, ACTION, virtual_cluster)
    upgrade_choices_check(choices or {})
    locked = virtual_cluster_locked(virtual_cluster)
    wants = _wanted(locked, change)
    has = versions_of(locked)
    params: dict[str, Any] = {TO: wants.as_json(), CHOICES: dict(choices or {})}
    started = operation_start(kind=OperationKind.UPGRADE, subject=locked, actor=actor, now=now, params=params)
    _audit(actor, locked, started.operation, has, wants)
    return ClusterWork(locked, started.operation, created=started.created)


@transaction.atomic
def upgrade_preflight(
    *, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, change: VersionChange
) -> Operation:
    """Starts to look at what the upgrade would meet; the operation has the report. Nothing is changed.

    Refuses what `virtual_cluster_upgrade` would.
    """
    actor_require(actor, ACTION, virtual_cluster)
    locked = virtual_cluster_locked(virtual_cluster)
    params = {TO: _wanted(locked, change).as_json()}
    return preflight_start(of=OperationKind.UPGRADE, virtual_cluster=locked, actor=actor, now=now, params=params)


def _wanted(cluster: VirtualCluster, change: VersionChange) -> Versions:
    """The versions asked for, to which there is a way as things are now."""
    gone_refuse(cluster)
    return versions_wanted(cluster, placement_of(cluster), change, offer_now())


def versions_wanted(
    cluster: VirtualCluster, placement: Placement | None, change: VersionChange, offer: Offer
) -> Versions:
    """The versions asked for, of one that is not gone. Raises InvalidInput or Conflict; it costs no statement."""
    _whole_check(cluster, placement)
    has, ground = versions_of(cluster), ground_of(cluster, placement)
    wants = _named(change, has, offer, ground)
    _new_check(has, wants, offer)
    way = way_find(has=has, wants=wants, offer=offer, ground=ground)
    if way.refusal:
        raise way.refusal.as_error()
    return wants


def _whole_check(cluster: VirtualCluster, placement: Placement | None) -> None:
    where = f"--project {cluster.project}"
    if cluster.phase == Phase.FAILED and not cluster.sleeping:
        raise Conflict(
            f"{cluster} is Failed, so nobody could tell what an upgrade did to it.",
            hint=f"Bring it back first: marina configure {cluster.name} {where}.",
        )
    adoption = Adoption.of_json(placement.adopted) if placement else None
    if adoption is not None and not adoption.taken_over:
        raise Conflict(
            f"{cluster} was adopted, and is still as it was found.",
            hint=f"Have it brought to what is wanted first: marina configure {cluster.name} {where}.",
        )


def _named(change: VersionChange, has: Versions, offer: Offer, ground: Ground) -> Versions:
    if not change.kubernetes_version and not change.chart_version:
        return newest_reachable(has=has, offer=offer, ground=ground)
    kubernetes, chart = has.kubernetes, has.chart
    if change.kubernetes_version:
        kubernetes = _kubernetes(change.kubernetes_version, has.kubernetes, offer)
    if change.chart_version:
        chart = chart_parse(change.chart_version)
    return Versions(kubernetes=kubernetes, chart=chart)


def _kubernetes(asked: str, has: KubernetesVersion, offer: Offer) -> KubernetesVersion:
    """What is older is told as that, whether or not it is offered."""
    try:
        exact = KubernetesVersion.parse(asked, field=KUBERNETES_FIELD)
    except InvalidInput:
        return kubernetes_version_resolve(
            asked, supported=[str(each) for each in {*offer.kubernetes, has}], field=KUBERNETES_FIELD
        )
    return exact


def _new_check(has: Versions, wants: Versions, offer: Offer) -> None:
    if wants != has:
        return
    newer = [str(each) for each in sorted(offer.kubernetes) if each > has.kubernetes]
    charts = [f"chart {each}" for each in sorted(offer.charts) if each > has.chart]
    told = ", ".join([*newer, *charts])
    raise InvalidInput(
        f"It has Kubernetes {has.kubernetes} and chart {has.chart} already.",
        field=CHART_FIELD if charts and not newer else KUBERNETES_FIELD,
        accepted=f"a newer one: {told}" if told else "a newer one, once it is offered",
    )


def _audit(actor: Actor, cluster: VirtualCluster, operation: Operation, has: Versions, wants: Versions) -> None:
    virtual_cluster_audit(
        actor,
        ACTION,
        cluster,
        before=has.as_json(),
        after=wants.as_json(),
        details={"operation": str(operation.pk)},
    )
