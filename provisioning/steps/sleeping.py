"""Putting a virtual cluster to sleep and waking it, in upstream's own way: either finds what the other did.

The marks, the replicas and what becomes of the pods are those of `vcluster pause` (vcluster.md, "Pause and resume"):
state and data stay, and so do the release and its claims.
"""

from clusters.models import VirtualCluster
from provisioning.drivers.kinds import DAEMON_SET, DEPLOYMENT, POD, STATEFUL_SET, Json, kind_of
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Done, Skip, StepResult, Wait, step
from provisioning.sleeping import wakes
from provisioning.steps.names import SYNCED_BY
from provisioning.steps.release import (
    PAUSE_MARKS,
    PAUSED,
    PAUSED_REPLICAS,
    annotations_of,
    paused,
    stopped_outside,
    workload_of,
)
from provisioning.steps.timing import seconds_in_step

NAMED_MOST = 5
OVER = ("Succeeded", "Failed")
WORKLOADS_SECONDS = 90.0
"""So long waking tells how many workloads are back; the cluster is open to people all the while."""


@step("Look for pods that would not come back")
def find_lone_pods(context: StepContext) -> StepResult:
    """Those without a controller: nothing makes them again. Named before anything is done.

    PermanentError unless whoever asked takes their loss. Those that ended already lose nothing.
    """
    workload = workload_of(context.kube(), context.placement)
    if context.virtual_cluster.sleeping or (workload and paused(workload)):
        return Skip("It is asleep already.")
    if workload and stopped_outside(workload):
        raise PermanentError(
            "It was stopped on its host, so nobody can look into it before it sleeps.",
            code="stopped-outside",
            hint=f"Bring it back first: marina configure {context.virtual_cluster.name}.",
        )
    return _lone_pods_given_up(context)


def _lone_pods_given_up(context: StepContext) -> Done | None:
    with context.virtual() as virtual:
        lone = [_name(pod) for pod in virtual.list(POD) if not _finished(pod) and not _controlled(pod)]
    if not lone:
        return None
    told = _few(lone)
    if context.params.get("lose_pods"):
        return Done(f"No controller makes these again, and they are given up: {told}.")
    cluster = context.virtual_cluster
    raise PermanentError(
        f"Sleep would end pods for good, because no controller makes them again: {told}.",
        code="lone-pods",
        hint=f"Delete them, or give them up: marina sleep {cluster.name} --project {cluster.project} --lose-pods.",
    )


def _name(found: Json) -> str:
    return f"{found['metadata']['namespace']}/{found['metadata']['name']}"


def _finished(pod: Json) -> bool:
    return pod.get("status", {}).get("phase") in OVER


def _controlled(pod: Json) -> bool:
    return any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences") or [])


def _few(names: list[str]) -> str:
    return ", ".join(names[:NAMED_MOST]) + (f" and {len(names) - NAMED_MOST} more" if len(names) > NAMED_MOST else "")


@step("Pause its control plane")
def pause_control_plane(context: StepContext) -> StepResult:
    """No replica, and upstream's marks that say so. From here on its release is kept that way, whatever changes.

    PermanentError as of the first step where such pods have come since.
    """
    kube = context.kube()
    workload = _workload(context, kube)
    done = paused(workload)
    if not done:
        _lone_pods_given_up(context)  # once more: some may have come while it was exported
        pause_workload(context, kube, workload)
    context.write(context.virtual_cluster, sleeping=True)
    return Skip("It is paused already.") if done else None


def pause_workload(context: StepContext, kube: KubeClient, workload: Json) -> None:
    """As upstream's `vcluster pause` does it. Nothing to do where it is paused already."""
    if paused(workload):
        return
    marks = {
        PAUSED: "true",
        PAUSED_REPLICAS: str(workload["spec"].get("replicas") or context.virtual_cluster.replicas),
        "loft.sh/paused-date": context.now.isoformat(timespec="seconds"),
    }
    patch = {"metadata": {"annotations": marks}, "spec": {"replicas": 0}}
    kube.patch_merge(kind_of(workload), context.placement.release, context.placement.namespace, patch)


def _workload(context: StepContext, kube: KubeClient) -> Json:
    placement = context.placement
    workload = workload_of(kube, placement)
    if workload is None:
        raise PermanentError(
            f"The control plane {placement.release} is gone from namespace {placement.namespace}.",
            code="vanished",
            hint=f"Bring it back with `marina configure {context.virtual_cluster.name}`.",
        )
    return workload


@step("Stop its workloads")
def stop_workloads(context: StepContext) -> StepResult:
    """Deletes its pods on the host, within their own grace period; nothing makes them again before it wakes.

    Not before the control plane has ended, which would.
    """
    kube = context.kube()
    if own_pods(context, kube):
        return Wait(0.3, "Waiting for its control plane to end.")
    left = pods_deleted(context, kube)
    return Wait(0.5, f"Waiting for its pods to end: {_few(left)}.") if left else None


def pods_deleted(context: StepContext, kube: KubeClient) -> list[str]:
    """Asks for the end of what was synced to the host; names of what is still there."""
    placement, left = context.placement, []
    for pod in kube.list(POD, placement.namespace, label_selector=f"{SYNCED_BY}={placement.release}"):
        left.append(pod["metadata"]["name"])
        if not pod["metadata"].get("deletionTimestamp"):
            kube.delete(POD, pod["metadata"]["name"], placement.namespace, uid=pod["metadata"]["uid"])
    return left


def own_pods(context: StepContext, kube: KubeClient) -> list[Json]:
    """The control plane's."""
    placement = context.placement
    selector = f"app=vcluster,release={placement.release},!{SYNCED_BY}"
    return kube.list(POD, placement.namespace, label_selector=selector)


@step("Resume its control plane")
def resume_control_plane(context: StepContext) -> StepResult:
    """The replicas that it had, and the marks away. Its release is kept awake from here on."""
    placement, kube = context.placement, context.kube()
    workload = _workload(context, kube)
    marks = annotations_of(workload)
    left = [mark for mark in PAUSE_MARKS if mark in marks]
    running = workload["spec"].get("replicas", 1) > 0
    if left or not running:
        patch: Json = {"metadata": {"annotations": dict.fromkeys(left)}} if left else {}
        if not running:
            patch["spec"] = {"replicas": _replicas(marks.get(PAUSED_REPLICAS, ""), context.virtual_cluster.replicas)}
        kube.patch_merge(kind_of(workload), placement.release, placement.namespace, patch)
    context.write(context.virtual_cluster, sleeping=False)
    return Skip("It is awake.") if running and not left else None


def _replicas(noted: str, wanted: int) -> int:
    """As many as it had. A note that is none, or says zero, is no reason to leave it asleep."""
    return int(noted) if noted.isdecimal() and int(noted) > 0 else wanted


@step("Open it to people")
def open_again(context: StepContext) -> StepResult:
    """Ready from here on, as its API answers: nobody waits for all of its workloads."""
    with context.fenced():
        wakes(VirtualCluster.objects.select_for_update().get(pk=context.virtual_cluster.pk), context.now)
    return Done(f"Its API answers, {_seconds_since_begun(context):.1f} s after waking began.")


def _seconds_since_begun(context: StepContext) -> float:
    now = context.now
    return (now - (context.operation.started_at or now)).total_seconds()


@step("See its workloads come back")
def wait_for_workloads(context: StepContext) -> StepResult:
    """Tells how many pods are ready again and how long that took. One that does not come back fails nothing."""
    with context.virtual() as virtual:
        wanted = _wanted_pods(virtual)
    placement = context.placement
    selector = f"{SYNCED_BY}={placement.release}"
    ready = sum(map(_ready, context.kube().list(POD, placement.namespace, label_selector=selector)))
    took = _seconds_since_begun(context)
    if ready < wanted and seconds_in_step(context) < WORKLOADS_SECONDS:
        return Wait(0.5, f"{ready} of {wanted} workload pods are ready.")
    if not wanted:
        return Skip("It has no workloads.")
    told = f"{ready} of {wanted} workload pods were ready {took:.1f} s after waking began"
    return Done(f"{told}." if ready >= wanted else f"{told}; the others are still starting.")


def _wanted_pods(virtual: KubeClient) -> int:
    """What the controllers inside want. Not what its pods say of themselves: that is from before it slept."""
    scaled = [*virtual.list(DEPLOYMENT), *virtual.list(STATEFUL_SET)]
    wanted = [each["spec"].get("replicas", 1) for each in scaled]
    wanted += [each.get("status", {}).get("desiredNumberScheduled", 0) for each in virtual.list(DAEMON_SET)]
    return sum(map(int, wanted))


def _ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    going = "deletionTimestamp" in pod["metadata"]
    return not going and any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
