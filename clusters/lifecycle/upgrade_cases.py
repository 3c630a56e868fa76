"""What is known of many clusters and their upgrades, read with a fixed number of statements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from clusters.lifecycle.support import SupportEnd, support_ends
from clusters.lifecycle.upgrade_planning import Tried
from clusters.lifecycle.upgrade_policy import ResolvedUpgradePolicy, upgrade_policy_resolve
from clusters.lifecycle.upgrades import Running, version_of
from clusters.models import Placement, PlacementRole, UpgradePolicy, VirtualCluster, VirtualClusterPhase

Policies = Mapping[UUID, UpgradePolicy]
"""By the id of what each is of."""

NOT_THERE = (VirtualClusterPhase.PENDING, VirtualClusterPhase.PROVISIONING, VirtualClusterPhase.DELETING)


@dataclass(frozen=True)
class UpgradeCase:
    """One cluster, what it has, and what counts for it."""

    cluster: VirtualCluster
    running: Running
    policy: ResolvedUpgradePolicy
    support: SupportEnd | None
    tried: Tried


def clusters_upgradable() -> QuerySet[VirtualCluster]:
    """Those that are there: made, and not on their way out."""
    return VirtualCluster.objects.exclude(phase__in=(*NOT_THERE, VirtualClusterPhase.DELETED)).order_by("pk")


def upgrade_cases(clusters: QuerySet[VirtualCluster]) -> list[UpgradeCase]:
    """What is known of these."""
    shown = clusters.select_related("project__organization", "owner_user", "owner_team")
    found = list(shown.defer("values", "conditions", "labels"))
    active = Placement.objects.filter(role=PlacementRole.ACTIVE)
    hosts = dict(active.values_list("virtual_cluster_id", "host__kubernetes_version"))
    policies = _by_scope(UpgradePolicy.objects.all())
    return [upgrade_case(each, host=hosts.get(each.pk, ""), policies=policies) for each in found]


def upgrade_case(cluster: VirtualCluster, *, host: str, policies: Policies) -> UpgradeCase:
    """Its project and organization are read along."""
    return UpgradeCase(
        cluster=cluster,
        running=Running(kubernetes=cluster.kubernetes_version, chart=cluster.chart_version, host=host),
        policy=_policy_of(cluster, policies),
        support=support_of(cluster),
        tried=Tried(signature=cluster.upgrade_tried, times=cluster.upgrade_tries, at=cluster.upgrade_tried_at),
    )


def policies_around(cluster: VirtualCluster) -> Policies:
    """Those that have to do with one cluster."""
    return _by_scope(
        UpgradePolicy.objects.filter(
            Q(virtual_cluster=cluster) | Q(project=cluster.project_id) | Q(organization=cluster.project.organization_id)
        )
    )


def _by_scope(rows: Iterable[UpgradePolicy]) -> Policies:
    return {row.virtual_cluster_id or row.project_id or row.organization_id: row for row in rows}  # type: ignore[misc]


def _policy_of(cluster: VirtualCluster, policies: Policies) -> ResolvedUpgradePolicy:
    project = cluster.project
    scopes = (
        (f"the organization {project.organization.name}", project.organization_id),
        (f"the project {project}", project.pk),
        (f"the cluster {cluster.name}", cluster.pk),
    )
    return upgrade_policy_resolve((name, policies[key]) for name, key in scopes if key in policies)


def line_name(kubernetes_version: str) -> str:
    """1.35 of 1.35.4: by which warnings are kept."""
    version = version_of(kubernetes_version)
    return f"{version.major}.{version.minor}"


def support_of(cluster: VirtualCluster) -> SupportEnd | None:
    """The end of support of what it runs, with the warnings of just that; None where none is known."""
    ends = support_ends().get(version_of(cluster.kubernetes_version).line)
    if ends is None:
        return None
    told = cluster.upgrade_support_told.get(line_name(cluster.kubernetes_version), ())
    return SupportEnd(at=ends, told=tuple(datetime.fromisoformat(each) for each in told))
