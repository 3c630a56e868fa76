"""How what a move left on a host is removed from it."""

from datetime import datetime

from clusters.models import Operation, OperationKind, Placement
from clusters.moving import PLACEMENT
from provisioning.engine.flow import Flow
from provisioning.left_behind import of_deleting
from provisioning.steps.deleting import remove_namespace, remove_priority_classes, uninstall_release, verify_absence


def forgotten(operation: Operation, now: datetime) -> None:
    """The host was seen to be free of it."""
    Placement.objects.filter(pk=operation.params[PLACEMENT]).delete()


REMOVE_PLACEMENT = Flow(
    kind=OperationKind.REMOVE_PLACEMENT,
    steps=(uninstall_release, remove_priority_classes, remove_namespace, verify_absence),
    on_success=forgotten,
    left_behind=of_deleting,
)
