"""How a virtual cluster whose host was lost is made again on another one."""

from datetime import datetime
from typing import Any, Final

from clusters.models import Condition, Export, Operation, OperationKind, Placement, PlacementRole, VirtualCluster
from clusters.models import VirtualClusterPhase as Phase
from clusters.moving import SLEPT
from clusters.recovery import KEPT, LOST_HOST
from clusters.restoration import EXPORT, PROGRESS, RESULT
from clusters.services.kubeconfig_grants import grants_forget
from clusters.services.recovery_notices import recovery_tell
from provisioning.engine.flow import Flow, Hook
from provisioning.exports.comparing import sentence_of
from provisioning.flows.phases import ABORTED, cluster_locked, cluster_of, conditions_add, ready, work_begins
from provisioning.left_behind import of_bringing
from provisioning.sleeping import falls_asleep
from provisioning.steps.access import access_put_right
from provisioning.steps.api_ready import prepare_inside, wait_for_api
from provisioning.steps.endpoint import publish_endpoint
from provisioning.steps.guardrails import apply_guardrails
from provisioning.steps.moving_after import sleep_again
from provisioning.steps.namespaces import create_namespace
from provisioning.steps.recovering import (
    choose_other_host,
    free_kept,
    from_export,
    look_at_last_export,
    resume_kept,
    told,
    wait_until_stopped,
)
from provisioning.steps.release import install_release
from provisioning.steps.restoring import compare_restored, restore_foundations, restore_objects

RECOVERED: Final = "Recovered"
"""The condition that tells from when it is since its host was lost."""


def begins(operation: Operation, now: datetime) -> None:
    """Nothing that was begun on the lost host goes on."""
    work_begins(Phase.RECOVERING)(operation, now)
    VirtualCluster.objects.filter(pk=cluster_of(operation).pk).update(frozen_at=None, frozen_why="")


def recovered(operation: Operation, now: datetime) -> None:
    """It runs elsewhere, from when its export is; one that was asleep sleeps on."""
    params: dict[str, Any] = Operation.objects.values_list("params", flat=True).get(pk=operation.pk)
    operation.params = {key: value for key, value in params.items() if key != PROGRESS}
    Operation.objects.filter(pk=operation.pk).update(params=operation.params)
    ready(operation, now)
    cluster = cluster_locked(operation)
    active = Placement.objects.select_related("host").get(virtual_cluster=cluster, role=PlacementRole.ACTIVE)
    reason, message = _outcome(operation, active)
    conditions_add(cluster, now, Condition(type=RECOVERED, status="True", reason=reason, message=message))
    cluster.save(update_fields=["conditions"])
    if slept := params.get(SLEPT):
        falls_asleep(cluster, now, by=slept["by"], why=slept["why"])
    recovery_tell(cluster, text=f"{cluster}: {message}", direct_ends=True, operation=operation.pk, now=now)
    if KEPT not in params:
        grants_forget(virtual_cluster=cluster, now=now)


def _outcome(operation: Operation, active: Placement) -> tuple[str, str]:
    """Reason and message of the condition."""
    params, lost = operation.params, operation.params[LOST_HOST]
    if params.get(KEPT):
        since = datetime.fromisoformat(params["kept_since"]) if params["kept_since"] else None
        where = f"It runs on {active.host.name} again" if active.host.name == lost else f"It runs on {active.host.name}"
        return "Kept", f"{where}, as it was there on {told(since)}. {lost}, on which it was then, was lost."
    begun = f"{lost} was lost; it runs on {active.host.name} now"
    export = Export.objects.filter(pk=params[EXPORT]).first() if params.get(EXPORT) else None
    if export is None:
        return "Empty", f"{begun}. It is empty: there was no export of it."
    counts = params[RESULT]["counts"]
    whole = all(not counts.get(what) for what in ("differing", "conflict", "missing", "refused"))
    from_when = f"{begun}, as it was on {told(export.finished_at)}. What was written after that is not there."
    details = f"{sentence_of(counts)} `marina op get {operation.pk}` lists what is not."
    return "FromExport" if whole else "PartlyFromExport", f"{from_when} {details}"


def _not_recovered(reason: str) -> Hook:
    def hook(operation: Operation, now: datetime) -> None:
        cluster, why = cluster_locked(operation), operation.message or ABORTED
        cluster.phase = Phase.FAILED
        conditions_add(
            cluster,
            now,
            Condition(type="Ready", status="False", reason=reason, message=why),
            Condition(type=RECOVERED, status="False", reason=reason, message=why),
        )
        cluster.save(update_fields=["phase", "conditions"])
        text = f"{cluster}, whose host {operation.params[LOST_HOST]} was lost, is not back: {why}"
        recovery_tell(cluster, text=text, direct_ends=False, operation=operation.pk, now=now)

    return hook


RECOVER = Flow(
    kind=OperationKind.RECOVER,
    steps=(
        look_at_last_export,
        choose_other_host,
        wait_until_stopped,
        create_namespace,
        apply_guardrails,
        install_release,
        resume_kept,
        wait_for_api,
        prepare_inside,
        free_kept,
        from_export(restore_foundations),
        from_export(restore_objects),
        from_export(compare_restored),
        publish_endpoint,
        access_put_right,
        sleep_again,
    ),
    on_start=begins,
    on_success=recovered,
    on_failure=_not_recovered("RecoverFailed"),
    on_abort=_not_recovered("Aborted"),
    left_behind=of_bringing,
)
