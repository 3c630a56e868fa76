"""Looking ahead of an upgrade or a move."""

from collections.abc import Callable, Mapping
from typing import Final

from clusters.models import OperationKind
from clusters.preflight import OF, REPORT, Report, Weight
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Done, StepResult, step
from provisioning.moving.preflight import look_at_move
from provisioning.steps.upgrade_looking import upgrade_look

LOOKS: Final[Mapping[OperationKind, Callable[[StepContext], Report]]] = {
    OperationKind.MIGRATE: look_at_move,
    OperationKind.UPGRADE: upgrade_look,
}
"""Who looks ahead of which kind."""


@step("Look at what it would meet")
def look_ahead(context: StepContext) -> StepResult:
    """Keeps the report with the operation."""
    report = LOOKS[OperationKind(context.params[OF])](context)
    context.write(context.operation, params={**context.params, REPORT: report.as_json()})
    counts = {weight: sum(each.weight is weight for each in report.findings) for weight in Weight}
    return Done(
        f"{counts[Weight.BLOCKS]} in the way, {counts[Weight.CHOICE]} to choose, {counts[Weight.NOTE]} worth knowing."
    )
