"""How a virtual cluster is taken away."""

from datetime import datetime

from clusters.exports.purging import EXPORT_STEP, PURGE
from clusters.models import (
    ExportCause,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.export_writing import export_keep_for_deleted, export_of_operation_fail, newest_export
from clusters.services.placements import placement_leave
from provisioning.engine.flow import Flow
from provisioning.flows.phases import aborted, as_before, cluster_of, failed, phase_becomes, step_done
from provisioning.left_behind import of_deleting
from provisioning.steps.deleting import remove_namespace, remove_priority_classes, uninstall_release, verify_absence
from provisioning.steps.exporting import export_before


def gone(operation: Operation, now: datetime) -> None:
    """The host was seen to be free of it, so its placement is forgotten; the row stays as a record.

    From now on the days count for which it can be made again. What a move left on other hosts goes too, by operations
    of its own: one of them may not answer. What is on a lost host is dealt with when that is back.
    """
    if not operation.params.get(PURGE) and (export := newest_export(cluster_of(operation))):
        export_keep_for_deleted(export=export, now=now)
    placements = Placement.objects.filter(virtual_cluster=operation.virtual_cluster_id)
    placements.filter(role=PlacementRole.ACTIVE).delete()
    for placement in placements.filter(role__in=(PlacementRole.RETAINED, PlacementRole.TARGET)):
        placement_leave(placement=placement, now=now)
    VirtualCluster.objects.filter(pk=cluster_of(operation).pk).update(
        phase=VirtualClusterPhase.DELETED, deleted_at=now, conditions=[]
    )


def not_deleted(operation: Operation, now: datetime) -> None:
    """As it was before where nothing was taken away yet: what could not be exported stays."""
    export_of_operation_fail(operation, now)
    if not step_done(operation, EXPORT_STEP):
        as_before(operation)
    elif operation.state == OperationState.ABORTED:
        aborted(operation, now)
    else:
        failed(operation, now)


DELETE = Flow(
    kind=OperationKind.DELETE,
    steps=(
        export_before(ExportCause.DELETE),
        uninstall_release,
        remove_priority_classes,
        remove_namespace,
        verify_absence,
    ),
    on_start=phase_becomes(VirtualClusterPhase.DELETING),
    on_success=gone,
    on_failure=not_deleted,
    on_abort=not_deleted,
    left_behind=of_deleting,
)
