"""What every service that changes a virtual cluster does with its row: lock it, and write down what was done to it."""

from collections.abc import Mapping
from typing import Any

from accounts.services.audit import Actor, audit_record
from clusters.models import VirtualCluster


def virtual_cluster_locked(virtual_cluster: VirtualCluster) -> VirtualCluster:
    """The cluster as it is now, with its project; locked until the transaction ends."""
    rows = VirtualCluster.objects.select_for_update(of=("self",)).select_related("project__organization")
    return rows.get(pk=virtual_cluster.pk)


def virtual_cluster_audit(
    actor: Actor,
    action: str,
    cluster: VirtualCluster,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Adds a row about the cluster to the audit log, as `audit_record` does."""
    audit_record(
        actor=actor,
        action=action,
        kind="virtual-cluster",
        object_id=cluster.pk,
        name=str(cluster),
        organization_id=cluster.project.organization_id,
        before=before,
        after=after,
        details=details,
    )
