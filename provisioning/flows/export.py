"""How everything that users own in a virtual cluster is exported."""

from datetime import datetime

from clusters.models import ExportCause, Operation, OperationKind
from clusters.services.export_writing import export_of_operation_fail
from provisioning.engine.flow import Flow
from provisioning.steps.exporting import export_before


def not_exported(operation: Operation, now: datetime) -> None:
    """Nothing of it stays but the record that it was tried."""
    export_of_operation_fail(operation, now)


EXPORT = Flow(
    kind=OperationKind.EXPORT,
    steps=(export_before(ExportCause.REQUEST),),
    on_failure=not_exported,
    on_abort=not_exported,
)
