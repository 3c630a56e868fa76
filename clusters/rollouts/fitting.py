"""Whether there is anything to do with a cluster, and whether it is well afterwards."""

from enum import StrEnum
from typing import Any

from accounts.errors import InvalidInput
from clusters.models import Operation, OperationKind, RolloutAction, VirtualCluster
from clusters.models import VirtualClusterPhase as Phase
from clusters.rollouts.wish import ClusterSelector, RolloutWish
from clusters.upgrade_choices import ACCEPT, DIFFERENCES
from clusters.versions import KubernetesVersion

REST = (Phase.READY, Phase.ASLEEP)
TOLD_MOST = 5


def unfit(action: str, wish: RolloutWish, selector: ClusterSelector, cluster: VirtualCluster) -> str:
    """Why there is nothing to do with it; empty where there is. Its `active_placements` are read along."""
    if cluster.phase in (Phase.DELETED, Phase.DELETING):
        return f"It is {cluster.phase}."
    return _unmoved(wish, selector, cluster) if action == RolloutAction.MIGRATE else _not_older(wish, cluster)


def _not_older(wish: RolloutWish, cluster: VirtualCluster) -> str:
    same_chart = wish.chart_version in ("", cluster.chart_version)
    wanted, has = _version(wish.kubernetes_version), _version(cluster.kubernetes_version)
    if wanted is not None and has is not None and has > wanted:
        return f"It has Kubernetes {has}, which is newer than {wanted}."
    if (wanted is None or wanted == has) and same_chart:
        return f"It has {wish} already."
    return ""


def _version(text: str) -> KubernetesVersion | None:
    try:
        return KubernetesVersion.parse(text) if text else None
    except InvalidInput:
        return None


def _unmoved(wish: RolloutWish, selector: ClusterSelector, cluster: VirtualCluster) -> str:
    placements: list[Any] = getattr(cluster, "active_placements", [])
    if not placements:
        return "It runs on no host yet."
    host = placements[0].host
    if wish.to and str(host.pk) == wish.to:
        return f"It is on {host.name} already."
    if selector.host and str(host.pk) != selector.host:
        return f"It is on {host.name}, and no longer on {selector.host_name}."
    return ""


class Health(StrEnum):
    """How a cluster is after its operation."""

    WELL = "well"
    UNSETTLED = "unsettled"
    """Something is at work on it, or its API has to be asked again."""
    ILL = "ill"


def health_of(cluster: VirtualCluster, *, phase_before: str, changed_since: bool) -> tuple[Health, str]:
    """How it is, and why. `changed_since`: another operation followed, so it need not be as it was before."""
    if cluster.phase == Phase.FAILED:
        return Health.ILL, _why(cluster) or "It is Failed."
    if cluster.phase not in REST:
        return Health.UNSETTLED, f"It is {cluster.phase}."
    if phase_before in REST and cluster.phase != phase_before and not changed_since:
        return Health.ILL, f"It was {phase_before} before, and is {cluster.phase} now."
    if cluster.phase == Phase.READY and (why := _why(cluster)):
        return Health.UNSETTLED, why
    return Health.WELL, ""


def differs(wish: RolloutWish, operation: Operation) -> str:
    """What is no longer as it was before the upgrade; empty where nothing is, or the wish takes it as it is.

    As it was found when the upgrade ended: whether it is as before again by now, nobody looks.
    """
    found = operation.params.get(DIFFERENCES) or []
    if operation.kind != OperationKind.UPGRADE or not found or wish.choices.get(DIFFERENCES) == ACCEPT:
        return ""
    more = f" And {len(found) - TOLD_MOST} more." if len(found) > TOLD_MOST else ""
    return f"It was upgraded, and is not as before: {' '.join(found[:TOLD_MOST])}{more}"


def _why(cluster: VirtualCluster) -> str:
    """What its condition Ready says, where that is not as it should be."""
    found = (each for each in cluster.conditions if each["type"] == "Ready" and each["status"] == "False")
    return next((str(each["message"]) for each in found), "")
