"""How what an export holds is made again in a virtual cluster: the same one, or one that was made for it."""

from datetime import datetime
from typing import Any, Final

from clusters.models import Condition, Operation, OperationKind
from clusters.restoration import PROGRESS, RESULT
from provisioning.engine.flow import Flow, Hook
from provisioning.exports.comparing import sentence_of
from provisioning.flows.phases import ABORTED, cluster_locked, conditions_add
from provisioning.steps.access import access_put_right
from provisioning.steps.api_ready import wait_for_api
from provisioning.steps.restoring import compare_restored, look_at_export, restore_foundations, restore_objects

RESTORED: Final = "Restored"
"""The condition that tells what came of the last restore."""


def restored(operation: Operation, now: datetime) -> None:
    """Counts as restored where all of it is as it was exported; what is not is told with the operation."""
    params: dict[str, Any] = Operation.objects.values_list("params", flat=True).get(pk=operation.pk)
    operation.params = {key: value for key, value in params.items() if key != PROGRESS}
    Operation.objects.filter(pk=operation.pk).update(params=operation.params)
    counts = params[RESULT]["counts"]
    whole = all(not counts.get(what) for what in ("differing", "conflict", "missing", "refused"))
    more = "" if counts.get("equal") == counts["objects"] else f" `marina op get {operation.pk}` lists what is not."
    message = f"{sentence_of(counts)}{more}"
    reason = "AsExported" if whole else "PartlyRestored"
    _told(operation, now, Condition(type=RESTORED, status="True" if whole else "False", reason=reason, message=message))


def _not_restored(reason: str) -> Hook:
    def hook(operation: Operation, now: datetime) -> None:
        message = f"{operation.message or ABORTED} What was restored before stays."
        _told(operation, now, Condition(type=RESTORED, status="False", reason=reason, message=message))

    return hook


def _told(operation: Operation, now: datetime, condition: Condition) -> None:
    cluster = cluster_locked(operation)
    conditions_add(cluster, now, condition)
    cluster.save(update_fields=["conditions"])


RESTORE = Flow(
    kind=OperationKind.RESTORE,
    steps=(
        look_at_export,
        wait_for_api,
        restore_foundations,
        restore_objects,
        compare_restored,
        access_put_right,
    ),
    on_success=restored,
    on_failure=_not_restored("RestoreFailed"),
    on_abort=_not_restored("Aborted"),
)
