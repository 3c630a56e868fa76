"""After people were let to where a virtual cluster is now: what is left is tidied up, and nothing is put back."""

from contextlib import suppress
from typing import Final

from clusters.models import Placement
from clusters.moving import LEFT, PODS_LEAVE, PODS_RECREATE, SLEPT
from clusters.preflight import CHOICES
from provisioning.engine.context import PlacementContext, StepContext
from provisioning.engine.errors import StepError, TemporaryError
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
from provisioning.moving.telling import few
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
    """Where that was chosen, each once it has ended where it was. What cannot be read any more is told."""
    chosen = context.params.get(CHOICES, {}).get("pods")
    if chosen not in (PODS_RECREATE, PODS_LEAVE):
        return Skip("Nobody asked for it.")
    try:
        with left(context).virtual() as source:
            pods_stop(source, lone_pods(source))
            stopped = pods_stopped(source)
            ending = pods_ending(source, stopped)
    except TemporaryError as error:
        if seconds_in_step(context) < LEFT_SECONDS or not context.operation.attempt:
            raise
        return Done(f"Where it was nothing answers any more, so they cannot be made again: {error.message}")
    if ending and seconds_in_step(context) < LEFT_SECONDS + max(each.grace for each in ending):
        return Wait(0.3, f"Waiting for pods to end where it was: {few([each.name for each in ending])}.")
    ended = [each for each in stopped if each not in ending]
    if chosen == PODS_RECREATE:
        with context.virtual() as target:
            pods_make(target, ended, manager=moving_way(mark_of(context)).created_by)
    with suppress(StepError), left(context).virtual() as source:  # else when it is moved there again
        pods_forget(source)
    return _pods_told(ended if chosen == PODS_RECREATE else [], ending)


def _pods_told(made: list[Stopped], ending: list[Stopped]) -> StepResult:
    if ending:
        names = few([each.name for each in ending])
        return Done(f"{len(made)} pods. These did not end where it was, and are not made again: {names}.")
    return Done(f"{len(made)} pods.") if made else Skip("None is made.")


def left(context: StepContext) -> StepContext:
    """The same for the placement that it left."""
    return PlacementContext.of(
        context, Placement.objects.select_related("host__credential").get(pk=context.params[LEFT])
    )


@step("Put what it left to sleep", on_host=False, deadline=LEFT_SECONDS * 2)
def retire_source(context: StepContext) -> StepResult:
    """Kept for a while, so that it can go back. Where its host does not answer that is left for its removal."""
    try:
        return _retired(left(context))
    except StepError as error:
        if isinstance(error, TemporaryError) and seconds_in_step(context) < LEFT_SECONDS:
            raise
        return Done(f"It could not be put to sleep; its workloads are held, and it is removed later. {error.message}")


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
