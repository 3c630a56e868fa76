"""How a virtual cluster moves to another host: copied while it works, frozen for moments, put back where it fails.

The source is what counts until people are let to the target (`switch-placement`). Up to there whatever goes wrong, or
an abort, stops what runs at the target, lets the source be written to and starts its workloads again; the target is
removed by an operation of its own, so that a host that does not answer keeps nobody waiting.
"""

from datetime import datetime
from typing import Final

from clusters.models import (
    Condition,
    ExportCause,
    KubeconfigGrant,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
)
from clusters.models import VirtualClusterPhase as Phase
from clusters.moving import (
    BACK,
    COUNTS,
    DECIDED,
    FREEZE,
    FROZEN_AT,
    HELD_AGAIN,
    LEFT,
    MEASURED,
    REVISIONS,
    SLEPT,
    STARTING,
)
from clusters.restoration import PROGRESS
from clusters.services.export_writing import export_detach, export_of_operation_fail
from clusters.services.kubeconfig_grants import grants_end
from clusters.services.move_notices import move_ended_tell
from clusters.services.placements import ACTOR, placement_leave, quarantine_start
from provisioning.engine.flow import Flow, on_target
from provisioning.flows.phases import ABORTED, as_before, cluster_locked, conditions_add, phase_becomes, step_done
from provisioning.left_behind import of_moving
from provisioning.sleeping import falls_asleep
from provisioning.steps.access import access_put_right
from provisioning.steps.api_ready import prepare_inside, wait_for_api
from provisioning.steps.endpoint import publish_endpoint
from provisioning.steps.exporting import export_before
from provisioning.steps.guardrails import apply_guardrails
from provisioning.steps.move_check import INSIDE, check_inside, check_move, look_again, look_frozen
from provisioning.steps.moving import (
    compare_copy,
    copy_changes,
    copy_foundations,
    copy_objects,
    order_workloads,
    place_target,
    raise_revisions,
    resume_target,
    wait_for_jobs,
    wake_source,
)
from provisioning.steps.moving_after import recreate_pods, resume_cron_jobs, retire_source, sleep_again
from provisioning.steps.moving_frozen import (
    copy_rest,
    freeze_source,
    start_workloads,
    stop_workloads_first,
    stop_workloads_last,
    switch_placement,
)
from provisioning.steps.moving_undo import sleep_source, start_source, stop_target, unfreeze_source
from provisioning.steps.namespaces import create_namespace
from provisioning.steps.release import install_release

MOVED: Final = "Moved"
"""The condition that tells what came of the last move."""
KEPT_ON_ITS_WAY: Final = frozenset(
    {COUNTS, DECIDED, FREEZE, FROZEN_AT, HELD_AGAIN, INSIDE, LEFT, MEASURED, PROGRESS, REVISIONS, SLEPT, STARTING}
)
"""In its params: all but what was asked for."""


def move_begins(operation: Operation, now: datetime) -> None:
    """Its phase. One that was put back and is tried again copies all anew: nothing of its first way holds any more."""
    phase_becomes(Phase.MIGRATING)(operation, now)
    if operation.step == 0 and operation.undoing is None:
        export_detach(operation)
        operation.params = {name: value for name, value in operation.params.items() if name not in KEPT_ON_ITS_WAY}
        Operation.objects.filter(pk=operation.pk).update(params=operation.params)


def moved(operation: Operation, now: datetime) -> None:
    """It runs where it was to go; one that was asleep sleeps on."""
    cluster = cluster_locked(operation)
    slept = operation.params.get(SLEPT)
    if slept is not None:
        falls_asleep(cluster, now, by=slept["by"], why=slept["why"])
    else:
        cluster.phase = Phase.READY
        conditions_add(cluster, now, Condition(type="Ready", status="True", reason="Moved", message="Its API answers."))
    active = Placement.objects.select_related("host").filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).first()
    if active is None:  # its host was lost just after it got there
        return
    host = active.host
    seconds = operation.params.get(MEASURED, {}).get("freeze_seconds", 0.0)
    message = f"It runs on {host.name}; it could not be written to for {seconds:.1f} s."
    conditions_add(cluster, now, Condition(type=MOVED, status="True", reason="Moved", message=message))
    cluster.save(update_fields=["phase", "conditions"])
    move_ended_tell(operation, now)
    # what was given out since leads to where it is now
    grants = KubeconfigGrant.objects.filter(
        virtual_cluster=cluster, revoked_at=None, created_at__lt=active.role_since or now
    )
    grants_end(tuple(grants.values_list("pk", flat=True)), now=now)


def not_moved(operation: Operation, now: datetime) -> None:
    """Where it was, as before, unless people were let to the target already."""
    export_of_operation_fail(operation, now)
    if step_done(operation, FINAL):
        moved(operation, now)
        if operation.state == OperationState.FAILED and not step_done(operation, retire_source.key):
            _source_stopped(operation, now)
        return
    as_before(operation)
    cluster = cluster_locked(operation)
    reason = "Aborted" if operation.state == OperationState.ABORTED else "MoveFailed"
    message = operation.message or ABORTED
    conditions_add(cluster, now, Condition(type=MOVED, status="False", reason=reason, message=message))
    cluster.save(update_fields=["conditions"])
    if operation.undoing is None or step_done(operation, MIGRATE.undo[-1].key):
        _target_given_up(operation, now)


def _source_stopped(operation: Operation, now: datetime) -> None:
    """What it left is not to run on for as long as it is kept. By an operation of its own, as this one has ended."""
    kept = Placement.objects.select_related("virtual_cluster").filter(pk=operation.params[LEFT])
    for placement in kept.filter(role=PlacementRole.RETAINED):
        quarantine_start(placement=placement, actor=ACTOR, now=now)


def _target_given_up(operation: Operation, now: datetime) -> None:
    target = Placement.objects.select_related("virtual_cluster").filter(
        virtual_cluster=operation.virtual_cluster, role=PlacementRole.TARGET
    )
    if operation.params.get(BACK) and operation.params.get(HELD_AGAIN, STARTING not in operation.params):
        for placement in target:
            Placement.objects.filter(pk=placement.pk).update(role=PlacementRole.RETAINED)
            quarantine_start(placement=placement, actor=ACTOR, now=now)  # where its host did not answer, it may run yet
        return
    for placement in target:
        placement_leave(placement=placement, now=now)


FINAL: Final = switch_placement.key

MIGRATE = Flow(
    kind=OperationKind.MIGRATE,
    steps=(
        check_move,
        place_target,
        wake_source,
        check_inside,
        wait_for_jobs,
        export_before(ExportCause.MIGRATE),
        on_target(create_namespace, "Prepare the namespace where it goes"),
        on_target(apply_guardrails, "Set quota, limits and network isolation there"),
        resume_target,
        on_target(install_release, "Install its release there"),
        on_target(wait_for_api, "Wait for its API there"),
        on_target(prepare_inside, "Prepare access inside it there"),
        copy_foundations,
        copy_objects,
        copy_changes,
        compare_copy,
        raise_revisions,
        look_again,
        order_workloads,
        freeze_source,
        look_frozen,
        copy_rest,
        stop_workloads_first,
        start_workloads,
        stop_workloads_last,
        switch_placement,
        resume_cron_jobs,
        recreate_pods,
        publish_endpoint,
        access_put_right,
        retire_source,
        sleep_again,
    ),
    undo=(stop_target, unfreeze_source, start_source, sleep_source),
    final=FINAL,
    on_start=move_begins,
    on_success=moved,
    on_failure=not_moved,
    on_abort=not_moved,
    left_behind=of_moving,
)
