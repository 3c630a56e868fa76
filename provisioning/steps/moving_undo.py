"""Putting back a move that did not get to its end: what runs elsewhere stops first, then the source works as before."""

from contextlib import suppress
from typing import Final

import structlog

from clusters.models import Operation, OperationKind, OperationState, Placement, PlacementRole, VirtualCluster
from clusters.moving import BACK, DECIDED, FREEZE, FROZEN_AT, HELD_AGAIN, LEFT, SLEPT, STARTING
from clusters.services.placements import placement_leave
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import StepError, TemporaryError
from provisioning.engine.flow import Done, Skip, StepResult, Wait, step
from provisioning.engine.run import PASSED_ON
from provisioning.moving.carrying import moving_way
from provisioning.moving.freezing import access_resume, freeze_refuses, freeze_take_away
from provisioning.moving.lone_pods import pods_ending, pods_forget, pods_make, pods_stopped
from provisioning.moving.pods import LONGEST_GRACE
from provisioning.moving.refusals import NO_ANSWER
from provisioning.moving.running import all_held, all_let_go, cron_jobs_let_go
from provisioning.moving.telling import few
from provisioning.steps.moving_after import put_to_rest
from provisioning.steps.restoring import mark_of
from provisioning.steps.timing import seconds_in_step

log = structlog.get_logger(__name__)

TARGET_SECONDS: Final = 30.0
"""So long the host where it would have gone may keep the source waiting; twice that its pods may take to end."""
NEVER_FROZEN: Final = Skip("It was not frozen.")
NOT_THERE: Final = Skip("It is not on its host any more.")


@step("Stop what runs where it would have gone", on_target=True, patient=False, deadline=TARGET_SECONDS * 10)
def stop_target(context: StepContext) -> StepResult:
    """Before anything runs again where it was. Nothing that is wrong there keeps the source frozen for long.

    Of one that would have gone back all is held once more, so that it runs nothing when it is woken again.
    """
    target = context.on_target()
    if target.placed() is None or not (context.params.get(STARTING) or context.params.get(BACK)):
        return Skip("Nothing ran there.")
    try:
        _held_again(context, target)
        waits = put_to_rest(target)
    except PASSED_ON:
        raise
    except Exception as error:  # whatever it is, the source has to work again
        if isinstance(error, TemporaryError) and seconds_in_step(context) < TARGET_SECONDS:
            return Wait(1.0, error.message)
        told = error.message if isinstance(error, StepError) else type(error).__name__
        log.warning("the target of a move could not be stopped", exc_info=error)
        return Done(f"It could not be stopped, and is removed once its host answers: {told}")
    if waits and seconds_in_step(context) >= TARGET_SECONDS * 2:
        return Done(f"It was told to stop; nobody waits for its end any longer. {waits.why}")
    return waits


def _held_again(context: StepContext, target: StepContext) -> None:
    """Only where something was let go. One that does not answer is not held, and never gone back to."""
    params = context.params
    if not params.get(BACK) or not params.get(STARTING) or HELD_AGAIN in params:
        return
    try:
        with target.virtual() as virtual:
            all_held(virtual)
        held = True
    except StepError as error:
        if isinstance(error, TemporaryError) and seconds_in_step(context) < TARGET_SECONDS:
            raise
        held = False
    context.write(context.operation, params={**context.params, HELD_AGAIN: held})


@step("Let it be written to again")
def unfreeze_source(context: StepContext) -> StepResult:
    """By everybody who might before. Its workloads go on just before that, and then its webhooks: as long as these call

    nobody, none of them keeps from starting what answers it. What is refused of that is told by the next step.
    """
    if context.placed() is None:
        return NOT_THERE
    if not _was_frozen(context):
        return NEVER_FROZEN
    with context.virtual() as source:
        if DECIDED in context.params:
            with suppress(StepError):  # told below, where people may write again
                all_let_go(source)
        freeze_take_away(source)
        access_resume(source)
        if freeze_refuses(source):
            return Wait(0.1, "Waiting for the freeze to end.")
    with context.fenced():
        VirtualCluster.objects.filter(pk=context.virtual_cluster.pk).update(frozen_at=None, frozen_why="")
    params = {key: value for key, value in context.params.items() if key not in (FREEZE, FROZEN_AT)}
    context.write(context.operation, params=params)
    return None


def _was_frozen(context: StepContext) -> bool:
    row = VirtualCluster.objects.filter(pk=context.virtual_cluster.pk, frozen_at__isnull=False)
    return FROZEN_AT in context.params or row.exists()


@step("Start its workloads again where it was", deadline=LONGEST_GRACE * 2)
def start_source(context: StepContext) -> StepResult:
    """All that was held, and pods that nobody else makes again. What was refused of it is told here."""
    if context.placed() is None:
        return NOT_THERE
    if DECIDED not in context.params:  # a step that an abort found waiting is not told from one that was not begun
        return Skip("Nothing was stopped.")
    return _goes_on(context)


def _goes_on(context: StepContext) -> Wait | None:
    """What is refused keeps nothing else from it, and is told once all others go on."""
    refused: StepError | None = None
    with context.virtual() as source:
        try:
            all_let_go(source)
        except StepError as error:
            if error.code in NO_ANSWER:
                raise
            refused = error
        waits = _pods_again(context, source)
    if refused is not None and waits is None:
        raise refused
    return waits


def _pods_again(context: StepContext, source: KubeClient) -> Wait | None:
    """Those without a controller that were stopped. Each has to be gone before one of its name can be made."""
    pods = pods_stopped(source)
    if ending := pods_ending(source, pods, gone=True):
        return Wait(0.3, f"Waiting for pods to end: {few([each.name for each in ending])}.")
    pods_make(source, pods, manager=moving_way(mark_of(context)).created_by)
    pods_forget(source)
    return None


@step("Let it fall asleep again where it was")
def sleep_source(context: StepContext) -> StepResult:
    """One that was asleep before."""
    if SLEPT not in context.params:
        return Skip("It was awake.")
    if context.placed() is None:
        return NOT_THERE
    context.write(context.virtual_cluster, sleeping=True)
    return put_to_rest(context)


@step("Let go what a move left frozen")
def free_left(context: StepContext) -> StepResult:
    """Where a move could not even be put back, as when its API did not answer for long. What it had made is removed.

    Of one that came to where it goes, and not to its end, the CronJobs.
    """
    last = _last_move(context)
    if last is None or not (_half_put_back(last) or _half_tidied(last)):
        return Skip("No move left it so.")
    if context.virtual_cluster.sleeping:
        return Skip("It is asleep; it is let go once it was woken and is configured again.")
    if _half_tidied(last):
        with context.virtual() as virtual:
            count = cron_jobs_let_go(virtual)
        return Done(f"{count} CronJobs go on.") if count else Skip("No move left it so.")
    with context.virtual() as source:
        with suppress(StepError):  # told below
            all_let_go(source)
        freeze_take_away(source)
        access_resume(source)
    with context.fenced():
        VirtualCluster.objects.filter(pk=context.virtual_cluster.pk).update(frozen_at=None, frozen_why="")
        targets = Placement.objects.filter(virtual_cluster=context.virtual_cluster, role=PlacementRole.TARGET)
        for placement in targets.select_related("virtual_cluster"):
            placement_leave(placement=placement, now=context.now)
    return _goes_on(context)


def _last_move(context: StepContext) -> Operation | None:
    moves = Operation.objects.filter(virtual_cluster=context.virtual_cluster, kind=OperationKind.MIGRATE)
    return moves.order_by("-pk").first()


def _half_put_back(move: Operation) -> bool:
    return move.undoing is not None and move.step < len(move.steps)


def _half_tidied(move: Operation) -> bool:
    return LEFT in move.params and move.state != OperationState.SUCCEEDED
