"""Going from one pair of versions to the next, and back where that may be done.

A hop is done in three parts, each noted before the next: the versions that are wanted, with what to go back to; the
release; and the wait for its control plane. Whoever takes the operation over goes on at the part that was noted last.
"""

from typing import Final

from django.conf import settings

from clusters.preflight import CHOICES, REPORT
from clusters.services.export_writing import export_detach
from clusters.upgrade_choices import DIFFERENCES
from clusters.upgrade_offer import HAS, versions_of
from provisioning.drivers.kinds import Json
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Done, Skip, StepResult, Wait, step
from provisioning.failpoints import failpoint, failpoint_register
from provisioning.steps.api_ready import ASLEEP, rollout_wait
from provisioning.steps.release import update_release
from provisioning.steps.sleeping import own_pods
from provisioning.steps.timing import seconds_in_step
from provisioning.steps.upgrade_looking import in_the_way_told, upgrade_looked
from provisioning.steps.upgrade_undoing import note_ran
from provisioning.steps.upgrade_writing import keep, progress_of, versions_write
from provisioning.upgrades.likeness import BEFORE, differences, likeness_of, waited_for
from provisioning.upgrades.progress import WAY, Progress

failpoint_register("upgrade.hop")

UPGRADE_SECONDS: Final = 6 * 3600.0
"""For all hops; each has the deadline of a step for itself."""
LIKE_BEFORE_SECONDS: Final = 90.0
"""So long it is waited for workloads that were ready before; people use the cluster meanwhile."""
NAMED_MOST: Final = 5


@step("Look at what the upgrade would meet")
def look_before_upgrading(context: StepContext) -> StepResult:
    """Finds the way as things are now, and keeps it. PermanentError where something blocks it or was not chosen."""
    looked = upgrade_looked(context)
    with context.fenced() as row:
        export_detach(row)
    way = Progress(hops=looked.way.hops, back=looked.has)
    keep(context, {REPORT: looked.report.as_json(), HAS: looked.has.as_json(), WAY: way.as_json()})
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
    keep(context, {BEFORE: before})
    return Done(f"{len(before['nodes'])} nodes and {len(before['workloads'])} workloads.")


@step("Go to the new versions", deadline=UPGRADE_SECONDS)
def change_versions(context: StepContext) -> StepResult:
    """Hop by hop; each is seen to answer before the next. One that sleeps is only told what it wakes up as."""
    progress = progress_of(context)
    if not progress.hops:  # tried again after it stayed: then it is to answer before anything else is done
        return ASLEEP if context.virtual_cluster.sleeping else rollout_wait(context, waited=seconds_in_step(context))
    while not progress.over:
        wait = _hop(context, progress)
        if wait:
            return wait
        progress = progress_of(context).next_hop()
        keep(context, {WAY: progress.as_json()})
    return Done(f"It has Kubernetes {progress.back.kubernetes} and chart {progress.back.chart}.")


def _hop(context: StepContext, progress: Progress) -> Wait | None:
    if not progress.began:
        older = tuple(str(pod["metadata"]["uid"]) for pod in own_pods(context, context.kube()))
        progress = progress.with_(began=True, older=older)
        versions_write(context, progress.hop, progress)
    if not progress.installed:
        context.virtual_cluster.refresh_from_db()
        update_release.run(context)
        progress = progress.with_(installed=True, since=seconds_in_step(context))
        keep(context, {WAY: progress.as_json()})
        failpoint("upgrade.hop")
    if context.virtual_cluster.sleeping:
        return None
    return _answered(context, progress)


def _answered(context: StepContext, progress: Progress) -> Wait | None:
    """Notes with each look whether one of this hop has started, which may be replaced and gone by the next one."""
    waited = seconds_in_step(context) - progress.since
    progress = note_ran(context, progress)
    result = rollout_wait(context, waited=waited)
    if not isinstance(result, Wait):
        return None
    if waited > settings.STEP_DEADLINE_SECONDS:
        message = f"{progress.hop.told_after(progress.back)} took longer than {settings.STEP_DEADLINE_SECONDS:g} s."
        raise PermanentError(f"{message} Last seen: {result.why}", code="deadline")
    told = f"{progress.hop.told_after(progress.back)} ({progress.at + 1} of {len(progress.hops)}): {result.why}"
    return Wait(result.seconds, told)


@step("Compare with before", deadline=LIKE_BEFORE_SECONDS * 3)
def compare_with_before(context: StepContext) -> StepResult:
    """Tells what is no longer as it was. That fails no upgrade, as its API answers; a rollout counts it as failed."""
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
    keep(context, {DIFFERENCES: found})
    return Done(_told(now["version"], before, found))


def _told(version: str, before: Json, found: list[str]) -> str:
    if not found:
        workloads = len(before["workloads"])
        return f"Its API is {version}; {len(before['nodes'])} nodes and {workloads} workloads are as before."
    return f"Its API is {version}. {_few(found, between=' ')}"


def _few(names: list[str], *, between: str = ", ") -> str:
    more = f" and {len(names) - NAMED_MOST} more" if len(names) > NAMED_MOST else ""
    return between.join(names[:NAMED_MOST]) + more
