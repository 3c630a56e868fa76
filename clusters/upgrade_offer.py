"""What this installation offers to upgrade to, and what decides about one cluster's way there."""

from django.conf import settings

from clusters.adoption import Adoption
from clusters.models import Operation, OperationKind, OperationState, Placement, PlacementRole, VirtualCluster
from clusters.selectors import chart_versions
from clusters.upgrade_versions import Ground, Offer, Versions, k3s_of
from clusters.versions import ChartSupport, KubernetesVersion, chart_support

HAS = "has"
"""In the params of an `upgrade`: the versions that it began from."""


def offer_now() -> Offer:
    """By the settings, and the charts that were fetched before."""
    return Offer.of(list(settings.KUBERNETES_VERSIONS), chart_versions(), chart_supports())


def chart_supports() -> dict[str, ChartSupport]:
    """What each version of the chart runs, as far as the settings say."""
    said = {settings.CHART_VERSION: settings.CHART_KUBERNETES_VERSIONS, **settings.CHART_VERSIONS}
    return {version: chart_support(version, minors) for version, minors in said.items() if minors}


def versions_of(cluster: VirtualCluster) -> Versions:
    """What is wanted of it now."""
    return Versions.parse(cluster.kubernetes_version, cluster.chart_version)


def placement_of(cluster: VirtualCluster) -> Placement | None:
    """Where it runs; None while it has no host."""
    active = Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE)
    return active.select_related("host").first()


def ground_of(cluster: VirtualCluster, placement: Placement | None) -> Ground:
    """Of its host, and of how it was made."""
    adoption = Adoption.of_json(placement.adopted) if placement else None
    values = adoption.values(cluster.values) if adoption else cluster.values
    host = placement.host if placement else None
    return Ground(
        host=KubernetesVersion.parse(host.kubernetes_version) if host and host.kubernetes_version else None,
        host_name=host.name if host else "",
        k3s=k3s_of(values),
    )


def versions_last_run(cluster: VirtualCluster) -> Versions:
    """The versions of which a control plane has run: of one that sleeps those before it was upgraded asleep."""
    has = versions_of(cluster)
    if not cluster.sleeping or cluster.asleep_since is None:
        return has
    upgrades = Operation.objects.filter(
        virtual_cluster=cluster,
        kind=OperationKind.UPGRADE,
        state=OperationState.SUCCEEDED,
        started_at__gte=cluster.asleep_since,
        params__has_key=HAS,
    )
    first = upgrades.order_by("started_at").values_list("params", flat=True).first()
    return Versions.of_json(first[HAS]) if first else has
