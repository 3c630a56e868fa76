"""How a virtual cluster is taken away."""

from datetime import datetime

from clusters.models import Operation, OperationKind, Placement, VirtualCluster, VirtualClusterPhase
from provisioning.engine.flow import Flow
from provisioning.flows.phases import aborted, cluster_of, failed, phase_becomes
from provisioning.left_behind import of_deleting
from provisioning.steps.deleting import remove_namespace, remove_priority_classes, uninstall_release, verify_absence


def gone(operation: Operation, now: datetime) -> None:
    """The host was seen to be free of it, so its placement is forgotten; the row stays as a record."""
    Placement.objects.filter(virtual_cluster=operation.virtual_cluster_id).delete()
    VirtualCluster.objects.filter(pk=cluster_of(operation).pk).update(
        phase=VirtualClusterPhase.DELETED, deleted_at=now, conditions=[]
    )


DELETE = Flow(
    kind=OperationKind.DELETE,
    steps=(uninstall_release, remove_priority_classes, remove_namespace, verify_absence),
    on_start=phase_becomes(VirtualClusterPhase.DELETING),
    on_success=gone,
    on_failure=failed,
    on_abort=aborted,
    left_behind=of_deleting,
)
