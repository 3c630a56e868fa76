"""After people were let to where a virtual cluster is now: what is left is tidied up, and nothing is put back."""

from contextlib import suppress
from typing import Final

from django.conf import settings

from clusters.models import Placement, PlacementRole
from clusters.moving import LEFT, PODS_LEAVE, PODS_RECREATE, SLEPT
from clusters.preflight import CHOICES
from provisioning.engine.context import PlacementContext, StepContext
from provisioning.engine.errors import PermanentError, StepError, TemporaryError
from provisioning.engine.flow import Done, Skip, StepResult, Wait, step
from provisioning.moving.carrying import moving_way
from provisioning.moving.lone_pods import (
    Stopped,
    lone_pods,
    pods_ending,
    pods_forget,
    pods_make,
    pods_stop,
    pods_stopped,
)
from provisioning.moving.pods import LONGEST_GRACE
from provisioning.moving.running import cron_jobs_let_go
from provisioning.moving.telling import counted_told, few
from provisioning.steps.release import workload_of
from provisioning.steps.restoring import mark_of
from provisioning.steps.sleeping import own_pods, pause_workload, pods_deleted
from provisioning.steps.timing import seconds_in_step

LEFT_SECONDS: Final = 120.0
"""So long the host that it left may keep the end of a move waiting."""


@step("Resume its CronJobs")
def resume_cron_jobs(context: StepContext) -> StepResult:
    """The last of what was held."""
    with context.virtual() as virtual:
        count = cron_jobs_let_go(virtual)
    return Done(f"{count} go on.") if count else Skip("It has none.")


@step("Make its pods without a controller again", deadline=LONGEST_GRACE + LEFT_SECONDS * 2)
def recreate_pods(context: StepContext) -> StepResult:
    """Where that was chosen, each once it has ended where it was. What cannot be read or made any more is told."""
    chosen = context.params.get(CHOICES, {}).get("pods")
    if chosen not in (PODS_RECREATE, PODS_LEAVE):
        return Skip("Nobody asked for it.")
    try:
        with left(context).virtual() as source:
            pods_stop(source, lone_pods(source))
            stopped = pods_stopped(source)
            ending = pods_ending(source, stopped)
    except StepError as error:
        _while_it_may_help(context, error)
        return Done(f"Where it was nothing answers any more, so they cannot be made again: {error.message}")
    if ending and seconds_in_step(context) < LEFT_SECONDS + max(each.grace for each in ending):
        return Wait(0.3, f"Waiting for pods to end where it was: {few([each.name for each in ending])}.")
    ended = [each for each in stopped if each not in ending]
    refused = _made(context, ended) if chosen == PODS_RECREATE else ""
    if not refused:
        with suppress(StepError), left(context).virtual() as source:  # else when it is moved there again
            pods_forget(source)
    return _pods_told(ended if chosen == PODS_RECREATE else [], ending, refused)


def _made(context: StepContext, pods: list[Stopped]) -> str:
    """What was refused of it, as a sentence; the others are there."""
    try:
        with context.virtual() as target:
            pods_make(target, pods, manager=moving_way(mark_of(context)).created_by)
    except StepError as error:
        _while_it_may_help(context, error)
        return error.message
    return ""


def _while_it_may_help(context: StepContext, error: StepError) -> None:
    """Raises it, where another attempt may come to more: what follows is not kept waiting for long."""
    attempts_left = context.operation.attempt + 1 < settings.ATTEMPT_LIMIT
    if isinstance(error, TemporaryError) and attempts_left and seconds_in_step(context) < LEFT_SECONDS:
        raise error


def _pods_told(made: list[Stopped], ending: list[Stopped], refused: str) -> StepResult:
    told = [f"{counted_told(len(made), 'pod')}."] if made and not refused else []
    if refused:
        told.append(refused)
    if ending:
        names = few([each.name for each in ending])
        told.append(f"These did not end where it was, and are not made again: {names}.")
    return Done(" ".join(told)) if told else Skip("None is made.")


def left(context: StepContext) -> StepContext:
    """The same for the placement that it left. PermanentError where somebody gave that up meanwhile."""
    kept = Placement.objects.exclude(role=PlacementRole.LEAVING).select_related("host__credential")
    placement = kept.filter(pk=context.params[LEFT]).first()
    if placement is None:
        raise PermanentError("What it left is being removed.", code="not-retained")
    return PlacementContext.of(context, placement)


@step("Put what it left to sleep", on_host=False, deadline=LEFT_SECONDS * 2)
def retire_source(context: StepContext) -> StepResult:
    """Kept for a while, so that it can go back. Where its host does not answer that is left for its removal."""
    try:
        result = _retired(left(context))
    except StepError as error:
        _while_it_may_help(context, error)
        return Done(f"It could not be put to sleep; its workloads are held, and it is removed later. {error.message}")
    if isinstance(result, Wait) and seconds_in_step(context) >= LEFT_SECONDS:
        return Done(f"It was told to sleep; nobody waits for its end any longer. {result.why}")
    return result


def _retired(context: StepContext) -> StepResult:
    placement = context.placement
    if waits := put_to_rest(context):
        return waits
    return Done(f"It sleeps on {placement.host.name} until {placement.retained_until:%Y-%m-%d %H:%M} UTC.")


def put_to_rest(context: StepContext) -> Wait | None:
    """Nothing of it runs afterwards; its state stays. Nothing to do where it is gone."""
    kube = context.kube()
    workload = workload_of(kube, context.placement)
    if workload is not None:
        pause_workload(context, kube, workload)
    if own_pods(context, kube):
        return Wait(0.3, "Waiting for its control plane to end.")
    remaining = pods_deleted(context, kube)
    return Wait(0.5, f"Waiting for pods to end, such as {remaining[0]}.") if remaining else None


@step("Let it fall asleep again")
def sleep_again(context: StepContext) -> StepResult:
    """One that was asleep before it was moved."""
    if SLEPT not in context.params:
        return Skip("It was awake.")
    context.write(context.virtual_cluster, sleeping=True)
    return put_to_rest(context)
