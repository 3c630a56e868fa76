"""How a virtual cluster is put to sleep: its state and data stay, and nothing of it runs."""

from datetime import datetime

from clusters.models import Condition, ExportCause, Operation, OperationKind, OperationState
from clusters.models import VirtualClusterPhase as Phase
from clusters.services.export_writing import export_of_operation_fail
from provisioning.engine.flow import Flow
from provisioning.flows.phases import (
    ABORTED,
    IN_SYNC,
    as_before,
    asleep,
    cluster_locked,
    conditions_add,
    phase_becomes,
    step_done,
)
from provisioning.left_behind import of_sleeping
from provisioning.steps.exporting import export_before
from provisioning.steps.sleeping import find_lone_pods, pause_control_plane, stop_workloads


def not_asleep(operation: Operation, now: datetime) -> None:
    """As before where its control plane was not paused yet; else asleep, with pods that may still run."""
    export_of_operation_fail(operation, now)
    if not step_done(operation, "pause-control-plane"):
        as_before(operation)
        return
    asleep(operation, now)
    cluster = cluster_locked(operation)
    why = operation.message or ABORTED
    message = f"Its control plane is paused, but pods of it may still run: {why}"
    reason = "Aborted" if operation.state == OperationState.ABORTED else "SleepFailed"
    conditions_add(cluster, now, Condition(type=IN_SYNC, status="False", reason=reason, message=message))
    cluster.save(update_fields=["conditions"])


SLEEP = Flow(
    kind=OperationKind.SLEEP,
    steps=(find_lone_pods, export_before(ExportCause.SLEEP), pause_control_plane, stop_workloads),
    on_start=phase_becomes(Phase.FALLING_ASLEEP),
    on_success=asleep,
    on_failure=not_asleep,
    on_abort=not_asleep,
    left_behind=of_sleeping,
)
