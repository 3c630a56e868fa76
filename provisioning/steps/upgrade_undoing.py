"""Putting the hop of an upgrade back at which it ended, unless a newer minor has run."""

from typing import Final

from clusters.upgrading import can_go_back
from provisioning.drivers.kinds import Json
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Done, Skip, StepResult, Wait, step
from provisioning.inventory import chart_version_of
from provisioning.steps.api_ready import ASLEEP, rollout_wait
from provisioning.steps.release import paused, update_release, workload_of
from provisioning.steps.sleeping import own_pods, pause_workload, resume_control_plane
from provisioning.steps.timing import seconds_in_step
from provisioning.steps.upgrade_writing import keep, progress_of, versions_write
from provisioning.upgrades.progress import WAY, Progress, PutBack

STAYS_SECONDS: Final = 60.0
"""So long it is looked whether one that is not put back answers after all."""


def has_run(context: StepContext, progress: Progress) -> bool:
    """Whether a control plane with this hop's images has been started, even if it does not run any more.

    Where only the chart is another, pods from before it have the same image of Kubernetes: then those count that came
    since, of the images that the release has now.
    """
    kube = context.kube()
    pods = [pod for pod in own_pods(context, kube) if _was_started(pod)]
    if not _chart_alone(progress):
        return any(progress.hop.kubernetes.tag in _tags(pod) for pod in pods)
    workload = workload_of(kube, context.placement)
    if workload is not None and not _of_hop(workload, progress):
        return False
    wanted = _tags(workload["spec"]["template"]) if workload else set()
    return any(wanted <= _tags(pod) and pod["metadata"]["uid"] not in progress.older for pod in pods)


def _chart_alone(progress: Progress) -> bool:
    return progress.hop.kubernetes == progress.back.kubernetes


def _of_hop(workload: Json, progress: Progress) -> bool:
    """Whether the release came to be of this hop. One without the chart's label may be."""
    chart, wanted = chart_version_of(workload), progress.hop.as_json()["chart"].replace("+", "_")
    if _chart_alone(progress) and chart and chart != wanted:
        return False
    return progress.hop.kubernetes.tag in _tags(workload["spec"]["template"])


def _tags(pod: Json) -> set[str]:
    """Of all its images."""
    spec = pod["spec"]
    images = [str(each.get("image", "")) for each in [*spec.get("initContainers", []), *spec["containers"]]]
    return {image.partition("@")[0].rpartition(":")[2] for image in images}


def _was_started(pod: Json) -> bool:
    """Its main containers start only after the init container that brings the API server's program."""
    status = pod.get("status", {})
    if status.get("phase") in ("Running", "Succeeded", "Failed"):
        return True
    return any(
        each.get("restartCount") or {"running", "terminated"} & set(each.get("state") or {}) or each.get("lastState")
        for each in status.get("containerStatuses") or []
    )


def note_ran(context: StepContext, progress: Progress) -> Progress:
    """Notes when a control plane of this hop has started: from then on a newer minor may have written."""
    if not progress.ran and has_run(context, progress):
        progress = progress.with_(ran=True)
        keep(context, {WAY: progress.as_json()})
    return progress


def _stopping(context: StepContext, progress: Progress) -> bool:
    """Has it end, with the marks of a pause and the replicas that it had in them; whether it has not ended yet.

    Where its release never came to be of this hop, nothing of it can begin, and it is left alone.
    """
    kube = context.kube()
    workload = workload_of(kube, context.placement)
    if workload is None or not _of_hop(workload, progress):
        return False
    pause_workload(context, kube, workload)
    return bool(own_pods(context, kube))


def _resumed(context: StepContext) -> None:
    """With the replicas that it had."""
    workload = workload_of(context.kube(), context.placement)
    if workload is not None and paused(workload):
        resume_control_plane.run(context)


@step("Put its versions back")
def put_versions_back(context: StepContext) -> StepResult:
    """Those from before the hop at which it ended. Not where a newer minor has run, whose state they cannot read.

    So that none begins to run meanwhile, it has ended by then.
    """
    progress = Progress.of(context.params)
    if progress is None or progress.over or not progress.began:
        return Skip("None were changed.")
    if not progress.put_back:
        matters = not can_go_back(progress.back, progress.hop) and not context.virtual_cluster.sleeping
        if matters:
            progress = note_ran(context, progress)
            if not progress.ran and _stopping(context, progress):
                return Wait(0.3, "Waiting for its control plane to end.")
        if matters and progress.ran:
            _resumed(context)
            progress = progress.with_(put_back=PutBack.STAYS)
            keep(context, {WAY: progress.as_json()})
        else:
            progress = progress.with_(put_back=PutBack.BACK)
            versions_write(context, progress.back, progress)
    if progress.put_back == PutBack.STAYS:
        return Skip(f"{progress.hop.told_after(progress.back)} has run once, so it stays: see the export from before.")
    return Done(f"Kubernetes {progress.back.kubernetes} and chart {progress.back.chart} again.")


@step("Put its release back")
def put_release_back(context: StepContext) -> StepResult:
    """As it was before the hop."""
    if _put_back(context) != PutBack.BACK:
        return Skip("Its release is left as it is.")
    context.virtual_cluster.refresh_from_db()
    update_release.run(context)
    return None


@step("See it answer again")
def see_it_answer(context: StepContext) -> StepResult:
    """What is put back has to; what stays is looked at for a while."""
    put_back = _put_back(context)
    if not put_back:
        return Skip("Nothing was changed.")
    if context.virtual_cluster.sleeping:
        return ASLEEP
    waited = seconds_in_step(context)
    result = rollout_wait(context, waited=waited, give_up=False)
    if put_back == PutBack.STAYS and isinstance(result, Wait) and waited > STAYS_SECONDS:
        keep(context, {WAY: progress_of(context).with_(silent=True).as_json()})
        return Done("It does not answer.")
    return result


def _put_back(context: StepContext) -> str:
    progress = Progress.of(context.params)
    return progress.put_back if progress else ""
