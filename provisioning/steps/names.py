"""Names and labels of what Marina puts on hosts and into virtual clusters."""

from clusters.models import VirtualCluster

MANAGED_BY = "app.kubernetes.io/managed-by"
MARINA = "marina"
CLUSTER_ID_LABEL = "marina.dev/virtual-cluster"
PROJECT_ID_LABEL = "marina.dev/project"
ORGANIZATION_ID_LABEL = "marina.dev/organization"

SYNCED_BY = "vcluster.loft.sh/managed-by"
"""On everything that vcluster's syncer puts on the host; its value is the release's name."""

ACCESS_NAMESPACE = "marina-access"
"""In a virtual cluster: Marina's own ServiceAccounts and bindings. Never kube-system."""


def owner_labels(cluster: VirtualCluster) -> dict[str, str]:
    """On everything Marina makes on a host: whose it is, by ids that never change."""
    return {
        MANAGED_BY: MARINA,
        CLUSTER_ID_LABEL: str(cluster.pk),
        PROJECT_ID_LABEL: str(cluster.project_id),
        ORGANIZATION_ID_LABEL: str(cluster.project.organization_id),
    }
