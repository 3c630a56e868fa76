"""Reading rollouts and what became of their clusters; and choosing the clusters of a new one."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import Count, Prefetch, Q, QuerySet

from accounts.models import User
from clusters.access_rollouts import rollouts_visible
from clusters.models import (
    Placement,
    PlacementRole,
    Rollout,
    RolloutMember,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.rollouts.wish import ClusterSelector

Counts = Mapping[tuple[int, str], int]
"""How many clusters, by wave and state."""


def rollouts_list(user: User) -> QuerySet[Rollout]:
    """Those that a user sees."""
    return rollouts_visible(user).select_related("organization", "project__organization", "created_by")


def rollouts_counts(rollouts: Iterable[Rollout]) -> Mapping[UUID, Counts]:
    """How far each is, with one statement."""
    rows = RolloutMember.objects.filter(rollout__in=[each.pk for each in rollouts]).order_by()
    found: defaultdict[UUID, dict[tuple[int, str], int]] = defaultdict(dict)
    for row in rows.values("rollout", "wave", "state").annotate(clusters=Count("pk")):
        found[row["rollout"]][row["wave"], row["state"]] = row["clusters"]
    return found


def rollout_members_list(rollout: Rollout) -> QuerySet[RolloutMember]:
    """In their order, with what is shown of each."""
    return rollout.members.select_related("virtual_cluster__project__organization", "operation")


def clusters_selected(selector: ClusterSelector) -> QuerySet[VirtualCluster]:
    """The living ones that fit, oldest first, each with where it runs (`active_placements`)."""
    gone = (VirtualClusterPhase.DELETED, VirtualClusterPhase.DELETING)
    found = VirtualCluster.objects.exclude(phase__in=gone)
    if selector.labels:
        found = found.filter(labels__contains=dict(selector.labels))
    if selector.kubernetes_version:
        version = selector.kubernetes_version
        found = found.filter(Q(kubernetes_version=version) | Q(kubernetes_version__startswith=f"{version}."))
    if selector.host:
        found = found.filter(placements__role=PlacementRole.ACTIVE, placements__host_id=UUID(selector.host))
    if selector.project:
        found = found.filter(project_id=UUID(selector.project))
    active = Placement.objects.filter(role=PlacementRole.ACTIVE).select_related("host")
    shown = found.select_related("project__organization").order_by("pk")
    return shown.prefetch_related(Prefetch("placements", queryset=active, to_attr="active_placements"))
