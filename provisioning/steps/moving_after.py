"""After people were let to where a virtual cluster is now: what is left is tidied up, and nothing is put back."""

from contextlib import suppress
from typing import Final

from django.conf import settings

from clusters.models import Placement
from clusters.moving import LEFT, PODS_RECREATE, SLEPT
from clusters.preflight import CHOICES
from provisioning.drivers.errors import ConflictError
from provisioning.drivers.kinds import POD, Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import PlacementContext, StepContext
from provisioning.engine.errors import StepError, TemporaryError
from provisioning.engine.flow import Done, Skip, StepResult, Wait, step
from provisioning.exports.left_out import rule_for
from provisioning.exports.restoring import as_sent
from provisioning.moving.carrying import moving_way
from provisioning.moving.pods import over
from provisioning.moving.running import cron_jobs_let_go
from provisioning.moving.telling import counted_told, few
from provisioning.steps.release import workload_of
from provisioning.steps.restoring import mark_of
from provisioning.steps.sleeping import own_pods, pause_workload, pods_deleted
from provisioning.steps.timing import seconds_in_step

TOLD: Final = 5
LEFT_SECONDS: Final = 120.0
"""So long the host that it left may keep the end of a move waiting."""


@step("Resume its CronJobs")
def resume_cron_jobs(context: StepContext) -> StepResult:
    """The last of what was held."""
    with context.virtual() as virtual:
        count = cron_jobs_let_go(virtual)
    return Done(f"{count} go on.") if count else Skip("It has none.")


@step("Make its pods without a controller again")
def recreate_pods(context: StepContext) -> StepResult:
    """Where that was chosen; they ran where it was until now. What cannot be read or made any more is told."""
    if context.params.get(CHOICES, {}).get("pods") != PODS_RECREATE:
        return Skip("Nobody asked for it.")
    try:
        with left(context).virtual() as source:
            pods = lone_pods(source)
    except StepError as error:
        _while_it_may_help(context, error)
        return Done(f"Where it was nothing answers any more, so they cannot be made again: {error.message}")
    refused = []
    with context.virtual() as target:
        for pod in pods:
            try:
                _made(target, pod, mark=mark_of(context))
            except StepError as error:
                _while_it_may_help(context, error)
                refused.append(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}: {error.message}")
    if refused:
        told = few(refused, TOLD)
        made = counted_told(len(pods) - len(refused), "pod")
        return Done(f"{made}; {len(refused)} could not be made again: {told}")
    return Done(f"{len(pods)} pods.") if pods else Skip("It has none.")


def _while_it_may_help(context: StepContext, error: StepError) -> None:
    """Raises it, where another attempt may come to more: what follows is not kept waiting for long."""
    attempts_left = context.operation.attempt + 1 < settings.ATTEMPT_LIMIT
    if isinstance(error, TemporaryError) and attempts_left and seconds_in_step(context) < LEFT_SECONDS:
        raise error


def lone_pods(virtual: KubeClient) -> list[Json]:
    """Those that users made and nobody makes again, and that did not end."""
    return [pod for pod in virtual.list(POD) if rule_for(pod) is None and not over(pod)]


def _made(target: KubeClient, pod: Json, *, mark: str) -> None:
    manifest = as_sent(pod)
    manifest["metadata"].pop("ownerReferences", None)
    with suppress(ConflictError):
        target.create_as(POD, manifest, manager=moving_way(mark).created_by)


def left(context: StepContext) -> StepContext:
    """The same for the placement that it left."""
    return PlacementContext.of(
        context, Placement.objects.select_related("host__credential").get(pk=context.params[LEFT])
    )


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
