"""Going from one pair of versions to the next, and back where that may be done.

A hop is done in three parts, each noted before the next: the versions that are wanted, with what to go back to; the
release; and the wait for its control plane. Whoever takes the operation over goes on at the part that was noted last.
"""

from typing import Any, Final

from django.conf import settings

from clusters.adoption import Adoption
from clusters.kinds import GENERATION
from clusters.models import Operation, VirtualCluster
from clusters.preflight import CHOICES, REPORT
from clusters.services.export_writing import export_detach
from clusters.upgrade_offer import HAS, versions_of
from clusters.upgrading import Versions, can_go_back
from provisioning.drivers.kinds import POD, Json
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Done, Skip, StepResult, Wait, step
from provisioning.failpoints import failpoint, failpoint_register
from provisioning.steps.api_ready import ASLEEP, rollout_wait
from provisioning.steps.names import SYNCED_BY
from provisioning.steps.release import update_release
from provisioning.steps.timing import seconds_in_step
from provisioning.steps.upgrade_looking import in_the_way_told, upgrade_looked
from provisioning.upgrades.likeness import BEFORE, differences, likeness_of, waited_for
from provisioning.upgrades.progress import WAY, Progress, PutBack

failpoint_register("upgrade.hop")

UPGRADE_SECONDS: Final = 6 * 3600.0
"""For all hops; each has the deadline of a step for itself."""
LIKE_BEFORE_SECONDS: Final = 90.0
"""So long it is waited for workloads that were ready before; people use the cluster meanwhile."""
STAYS_SECONDS: Final = 60.0
"""So long it is looked whether one that is not put back answers after all."""
DIFFERENCES: Final = "differences"
"""In the params of an `upgrade`: what is no longer as it was, in sentences."""
NAMED_MOST: Final = 5


@step("Look at what the upgrade would meet")
def look_before_upgrading(context: StepContext) -> StepResult:
    """Finds the way as things are now, and keeps it. PermanentError where something blocks it or was not chosen."""
    looked = upgrade_looked(context)
    with context.fenced() as row:
        export_detach(row)
    way = Progress(hops=looked.way.hops, back=looked.has)
    _keep(context, {REPORT: looked.report.as_json(), HAS: looked.has.as_json(), WAY: way.as_json()})
    in_the_way = in_the_way_told(looked.report, context.params.get(CHOICES) or {})
    if in_the_way:
        raise in_the_way
    return Done(" ".join(looked.report.plan)) if looked.way.hops else Skip("It has these versions already.")


@step("Note what it is like")
def note_before(context: StepContext) -> StepResult:
    """Version, nodes and workloads, to be compared afterwards."""
    if context.virtual_cluster.sleeping:
        return ASLEEP
    with context.virtual() as virtual:
        before = likeness_of(virtual)
    _keep(context, {BEFORE: before})
    return Done(f"{len(before['nodes'])} nodes and {len(before['workloads'])} workloads.")


@step("Go to the new versions", deadline=UPGRADE_SECONDS)
def change_versions(context: StepContext) -> StepResult:
    """Hop by hop; each is seen to answer before the next. One that sleeps is only told what it wakes up as."""
    progress = _progress(context)
    if progress.over:
        return Skip("It has these versions already.")
    while not progress.over:
        wait = _hop(context, progress)
        if wait:
            return wait
        progress = _progress(context).next_hop()
        _keep(context, {WAY: progress.as_json()})
    return Done(f"It has Kubernetes {progress.back.kubernetes} and chart {progress.back.chart}.")


def _hop(context: StepContext, progress: Progress) -> Wait | None:
    if not progress.began:
        progress = progress.with_(began=True)
        _versions_write(context, progress.hop, progress)
    if not progress.installed:
        context.virtual_cluster.refresh_from_db()
        update_release.run(context)
        progress = progress.with_(installed=True, since=seconds_in_step(context))
        _keep(context, {WAY: progress.as_json()})
        failpoint("upgrade.hop")
    if context.virtual_cluster.sleeping:
        return None
    return _answered(context, progress)


def _answered(context: StepContext, progress: Progress) -> Wait | None:
    """Notes when a control plane of this hop has started: from then on a newer minor may have written."""
    waited = seconds_in_step(context) - progress.since
    if not progress.ran and _has_run(context, progress.hop):
        progress = progress.with_(ran=True)
        _keep(context, {WAY: progress.as_json()})
    result = rollout_wait(context, waited=waited)
    if not isinstance(result, Wait):
        return None
    if waited > settings.STEP_DEADLINE_SECONDS:
        message = f"{progress.hop.told_after(progress.back)} took longer than {settings.STEP_DEADLINE_SECONDS:g} s."
        raise PermanentError(f"{message} Last seen: {result.why}", code="deadline")
    told = f"{progress.hop.told_after(progress.back)} ({progress.at + 1} of {len(progress.hops)}): {result.why}"
    return Wait(result.seconds, told)


def _has_run(context: StepContext, hop: Versions) -> bool:
    """Whether a control plane with this hop's images has been started, even if it does not run any more."""
    placement = context.placement
    selector = f"app=vcluster,release={placement.release},!{SYNCED_BY}"
    pods = context.kube().list(POD, placement.namespace, label_selector=selector)
    return any(_of_hop(pod, hop) and _was_started(pod) for pod in pods)


def _of_hop(pod: Json, hop: Versions) -> bool:
    spec = pod["spec"]
    images = [str(each.get("image", "")) for each in [*spec.get("initContainers", []), *spec["containers"]]]
    return any(image.partition("@")[0].endswith(f":{hop.kubernetes.tag}") for image in images)


def _was_started(pod: Json) -> bool:
    """Its main containers start only after the init container that brings the API server's program."""
    status = pod.get("status", {})
    if status.get("phase") in ("Running", "Succeeded", "Failed"):
        return True
    return any(
        each.get("restartCount") or {"running", "terminated"} & set(each.get("state") or {}) or each.get("lastState")
        for each in status.get("containerStatuses") or []
    )


@step("Compare with before", deadline=LIKE_BEFORE_SECONDS * 3)
def compare_with_before(context: StepContext) -> StepResult:
    """Tells what is no longer as it was. That fails nothing: it was upgraded, and its API answers."""
    before = context.params.get(BEFORE)
    if context.virtual_cluster.sleeping or before is None:
        return ASLEEP
    with context.virtual() as virtual:
        now = likeness_of(virtual)
    late = waited_for(before, now)
    if late and seconds_in_step(context) < LIKE_BEFORE_SECONDS:
        return Wait(1.0, f"Waiting for pods that were ready before: {_few(late)}.")
    wanted = versions_of(context.virtual_cluster).kubernetes
    wrong = [] if now["version"].startswith(f"{wanted}") else [f"Its API says that it is {now['version']}."]
    found = [*wrong, *differences(before, now)]
    _keep(context, {DIFFERENCES: found})
    return Done(_told(now["version"], before, found))


def _told(version: str, before: Json, found: list[str]) -> str:
    if not found:
        workloads = len(before["workloads"])
        return f"Its API is {version}; {len(before['nodes'])} nodes and {workloads} workloads are as before."
    return f"Its API is {version}. {_few(found, between=' ')}"


def _few(names: list[str], *, between: str = ", ") -> str:
    more = f" and {len(names) - NAMED_MOST} more" if len(names) > NAMED_MOST else ""
    return between.join(names[:NAMED_MOST]) + more


# Back to what it was


@step("Put its versions back")
def put_versions_back(context: StepContext) -> StepResult:
    """Those from before the hop at which it ended. Not where a newer minor has run, whose state they cannot read."""
    progress = Progress.of(context.params)
    if progress is None or progress.over or not progress.began:
        return Skip("None were changed.")
    if not progress.put_back:
        stays = not can_go_back(progress.back, progress.hop) and (progress.ran or _has_run(context, progress.hop))
        if stays and not context.virtual_cluster.sleeping:
            progress = progress.with_(put_back=PutBack.STAYS)
            _keep(context, {WAY: progress.as_json()})
        else:
            progress = progress.with_(put_back=PutBack.BACK)
            _versions_write(context, progress.back, progress)
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
        _keep(context, {WAY: _progress(context).with_(silent=True).as_json()})
        return Done("It does not answer.")
    return result


def _put_back(context: StepContext) -> str:
    progress = Progress.of(context.params)
    return progress.put_back if progress else ""


# What is kept


def _progress(context: StepContext) -> Progress:
    progress = Progress.of(context.params)
    if progress is None:
        raise TemporaryError("The way was not looked for yet.", code="no-way")
    return progress


def _keep(context: StepContext, changes: dict[str, Any]) -> None:
    """In the operation's params, of which others write a part too."""
    with context.fenced() as row:
        _params_write(context, row, changes)


def _params_write(context: StepContext, row: Operation, changes: dict[str, Any]) -> None:
    params = {**Operation.objects.values_list("params", flat=True).get(pk=row.pk), **changes}
    Operation.objects.filter(pk=row.pk).update(params=params)
    context.operation.params = params


def _versions_write(context: StepContext, versions: Versions, progress: Progress) -> None:
    """Into what is wanted of the cluster, as a new generation, in one transaction with how far it is.

    What else was changed meanwhile is seen through by the operation that waits for its turn to do so.
    """
    with context.fenced() as row:
        cluster = VirtualCluster.objects.get(pk=context.virtual_cluster.pk)
        seen = Operation.objects.values_list("params", flat=True).get(pk=row.pk).get(GENERATION)
        followed = {GENERATION: cluster.generation + 1} if seen == cluster.generation else {}
        kept = versions.as_json()
        _image_follow(context, versions_of(cluster), versions)
        VirtualCluster.objects.filter(pk=cluster.pk).update(
            kubernetes_version=kept["kubernetes"], chart_version=kept["chart"], generation=cluster.generation + 1
        )
        _params_write(context, row, {WAY: progress.as_json(), **followed})


def _image_follow(context: StepContext, before: Versions, after: Versions) -> None:
    """An adopted one keeps the image that it came with; where that is its chart's own, it goes along with the chart."""
    placement = context.placement
    adoption = Adoption.of_json(placement.adopted)
    if adoption is None or before.chart == after.chart:
        return
    if adoption.image_tag not in (f"{before.chart}", f"v{before.chart}"):
        return
    tagged = adoption.image_values["controlPlane"]["statefulSet"]["image"]
    prefix = "v" if adoption.image_tag.startswith("v") else ""
    image = {**tagged, "tag": f"{prefix}{after.chart}"}
    adopted = placement.adopted
    adopted["image_values"]["controlPlane"]["statefulSet"]["image"] = image
    context.write(placement, adopted=adopted)
