"""How a virtual cluster that is asleep is woken."""

from datetime import datetime

from clusters.models import Operation, OperationKind
from clusters.models import VirtualClusterPhase as Phase
from provisioning.engine.flow import Flow
from provisioning.flows.phases import as_before, awake_again, failed, phase_becomes, step_done
from provisioning.steps.access import access_put_right
from provisioning.steps.api_ready import prepare_inside, wait_for_rollout
from provisioning.steps.endpoint import publish_endpoint
from provisioning.steps.sleeping import open_again, resume_control_plane, wait_for_workloads


def not_awake(operation: Operation, now: datetime) -> None:
    """As before where nothing was resumed yet; open to people where that came so far; else it failed."""
    if step_done(operation, "open-again"):
        awake_again(operation, now)
    elif step_done(operation, "resume-control-plane"):
        failed(operation, now)
    else:
        as_before(operation)


WAKE = Flow(
    kind=OperationKind.WAKE,
    steps=(
        resume_control_plane,
        wait_for_rollout,
        access_put_right,
        prepare_inside,
        publish_endpoint,
        open_again,
        wait_for_workloads,
    ),
    on_start=phase_becomes(Phase.WAKING),
    on_success=awake_again,
    on_failure=not_awake,
    on_abort=not_awake,
)
