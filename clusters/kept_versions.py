"""Whether what a cluster was on another host may be run by the versions that it has now: they are installed over it."""

from clusters.models import Placement, VirtualCluster
from clusters.upgrade_hops import old_chart, skips
from clusters.upgrade_offer import ground_of, versions_of
from clusters.upgrade_versions import CHART_FIELD, KUBERNETES_FIELD, Versions


def kept_too_old(kept: Placement, cluster: VirtualCluster) -> str:
    """Why not, as a sentence: as in an upgrade, no minor is left out. "" where they may, or nobody saw what it ran."""
    if not kept.kubernetes_version or not kept.chart_version:
        return ""
    before, after = Versions.parse(kept.kubernetes_version, kept.chart_version), versions_of(cluster)
    found = (
        skips(before.kubernetes, after.kubernetes, "Kubernetes", KUBERNETES_FIELD)
        or skips(before.chart, after.chart, "the chart", CHART_FIELD)
        or old_chart(before, after, ground_of(cluster, kept))
    )
    if found is None:
        return ""
    ran = f"ran Kubernetes {before.kubernetes} with chart {before.chart} last"
    return (
        f"What {cluster} was on {kept.host.name} {ran}, and it has {after.kubernetes} with {after.chart} now: "
        "these cannot take over at once what that stored."
    )
