"""Stopping what is left of a virtual cluster on a host that was lost and is back: it runs elsewhere by now."""

from typing import Final

from clusters.models import PlacementRole
from clusters.recovery import GONE
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Skip, StepResult, step
from provisioning.steps.deleting import NOT_OURS, NOT_THERE, not_ours
from provisioning.steps.moving_after import put_to_rest
from provisioning.steps.namespaces import namespace_of
from provisioning.steps.release import workload_of

STOPPING_SECONDS: Final = 1800.0
"""Nodes that come back one after the other take long to say that pods have ended."""


@step("Stop what is left of it there", deadline=STOPPING_SECONDS)
def stop_left(context: StepContext) -> StepResult:
    """Its control plane first, which would make its pods again; then its pods. Its state stays."""
    placement = context.placed()
    if placement is None or placement.role not in (PlacementRole.LOST, PlacementRole.RETAINED):
        return Skip("It is in use again, or being removed.")
    if not_ours(placement):
        return NOT_OURS
    kube = context.kube()
    if namespace_of(kube, placement) is None:
        context.write(context.operation, params={**context.params, GONE: True})
        return NOT_THERE
    if workload_of(kube, placement) is None:
        context.write(context.operation, params={**context.params, GONE: True})
    return put_to_rest(context)
