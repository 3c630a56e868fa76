"""What is known beforehand against the clusters of a rollout: by the rules for versions that beginning uses.

Nothing is begun. It costs a fixed number of statements, however many clusters there are; so what takes a look at each
(lost with its host, half adopted, deletion begun) is left to the moment when it begins. What only a look
inside can tell (removed APIs, volumes) a preflight of each tells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Prefetch

from accounts.errors import InvalidInput, MarinaError
from clusters.kinds import MEETINGS, Meeting
from clusters.models import (
    Breaker,
    Operation,
    OperationKind,
    Placement,
    PlacementRole,
    Rollout,
    RolloutAction,
    RolloutMember,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.rollouts.wish import RolloutWish
from clusters.services.upgrading import VersionChange, versions_wanted
from clusters.upgrade_offer import offer_now
from clusters.upgrade_versions import Offer

_KINDS: Final = {RolloutAction.UPGRADE: OperationKind.UPGRADE, RolloutAction.MIGRATE: OperationKind.MIGRATE}


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """One member. Sentences, or empty: why it could not begin as things are now, and what it would wait for."""

    member: RolloutMember
    refused: str = ""
    waits: str = ""


def members_foreseen(rollout: Rollout) -> list[Foreseen]:
    """All of them, in their order."""
    active = Placement.objects.filter(role=PlacementRole.ACTIVE).select_related("host")
    rows = rollout.members.select_related("virtual_cluster__project__organization").order_by("position")
    members = list(rows.prefetch_related(Prefetch("virtual_cluster__placements", active, to_attr="active_placements")))
    busy = _busy(rollout, members)
    wish, offer = RolloutWish.of(rollout.wish), offer_now()
    return [
        Foreseen(
            member=each,
            refused=_refused(rollout.action, each.virtual_cluster, wish, offer),
            waits=busy.get(each.virtual_cluster_id, ""),
        )
        for each in members
    ]


def _busy(rollout: Rollout, members: Sequence[RolloutMember]) -> Mapping[UUID, str]:
    """What is at work on each that a rollout leaves alone until it has ended."""
    kind = _KINDS[RolloutAction(rollout.action)]
    keys = [each.virtual_cluster_id for each in members]
    work = Operation.objects.filter(virtual_cluster__in=keys, finished_at=None, abort_requested=False)
    found = work.exclude(lock_key=None).order_by("pk").values_list("virtual_cluster", "kind")
    newest = {key: OperationKind(of) for key, of in found if key is not None}
    return {key: f"{of} is at work on it." for key, of in newest.items() if MEETINGS.get((kind, of)) is Meeting.REFUSE}


def _refused(action: str, cluster: VirtualCluster, wish: RolloutWish, offer: Offer) -> str:
    placements: list[Placement] = cluster.active_placements  # type: ignore[attr-defined]
    placement = placements[0] if placements else None
    if action == RolloutAction.MIGRATE:
        return _unmovable(cluster, placement)
    change = VersionChange(kubernetes_version=wish.kubernetes_version or None, chart_version=wish.chart_version or None)
    try:
        versions_wanted(cluster, placement, change, offer)
    except MarinaError as error:
        accepted = error.errors[0].accepted if isinstance(error, InvalidInput) else ""
        return " ".join(filter(None, (str(error), accepted and f"Possible: {accepted}.", error.hint)))
    return ""


def _unmovable(cluster: VirtualCluster, placement: Placement | None) -> str:
    """Of where it is; where it could go is weighed when it has its turn, as each move before it changes that."""
    if cluster.phase == VirtualClusterPhase.FAILED:
        return f"{cluster} is Failed, so nobody knows what would be carried."
    if placement is not None and placement.host.breaker == Breaker.OPEN:
        return f"{placement.host.name}, on which it is now, does not answer: nothing can be carried from there."
    return ""
