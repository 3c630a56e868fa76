"""Making a virtual cluster again whose host was lost: where it goes, and from what."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from clusters.adoption import adopted_elsewhere
from clusters.kept_versions import kept_too_old
from clusters.models import Breaker, Export, HostPhase, Placement, PlacementRole, VirtualCluster
from clusters.move_target import elsewhere
from clusters.recovery import EMPTY, KEPT, LOST_HOST
from clusters.restoration import EXPORT
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Done, Skip, Step, StepResult, Wait, step
from provisioning.failpoints import failpoint, failpoint_register
from provisioning.moving.freezing import access_forget, freeze_take_away
from provisioning.moving.lone_pods import pods_forget
from provisioning.moving.running import all_let_go
from provisioning.steps.placing import one_at_a_time, placement_create
from provisioning.steps.restoring import plan_of
from provisioning.steps.sleeping import resume_control_plane
from provisioning.steps.timing import seconds_in_step

failpoint_register("recover.placed")

WAIT_SECONDS: Final = 30 * 86400.0
"""So long a host that can take it may not be there."""
AGAIN_SECONDS: Final = 15.0
STOPPED_SECONDS: Final = 120.0
"""So long a lost host that answers again may take to stop what it has before it is made again elsewhere."""
MADE_AGAIN: Final = Skip("It is made again from an export.")
IS_KEPT: Final = Skip("All that is in it is kept where it goes.")


@step("Look at its last export", on_host=False)
def look_at_last_export(context: StepContext) -> StepResult:
    """Reads it to its end before anything is made. Ends where nothing tells what was in it, unless accepted."""
    if _kept(context) is not None:
        return IS_KEPT
    found = _given_up(context.virtual_cluster).filter(role=PlacementRole.LOST, host__lost_at=None)
    if context.placed() is None and (there := found.select_related("host").first()) is not None:
        return Wait(0.5, f"{there.host.name} is found; it goes on there as soon as it was stopped.")
    if context.params.get(EXPORT):
        export = Export.objects.get(pk=context.params[EXPORT])
        count = len(plan_of(context).wanted)
        return Done(f"{count} objects, as they were on {told(export.finished_at)}.")
    if context.params.get(EMPTY):
        return Done("There is none; it comes back empty.")
    host = context.params[LOST_HOST]
    raise PermanentError(
        f"{context.virtual_cluster.name} was never exported, so nobody knows what was in it.",
        code="no-export",
        hint=f"If {host} comes back, it has it still: marina host found {host}. "
        f"To have it back empty: marina host lost {host} --empty.",
    )


def told(time: datetime | None) -> str:
    """For people."""
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else "an unknown day"


@step("Choose another host", on_host=False, deadline=WAIT_SECONDS)
def choose_other_host(context: StepContext) -> StepResult:
    """Writes the placement before anything is on the host. Waits for as long as no host can take it."""
    placement = context.placed()
    if placement is not None:
        return Done(placement.why) if placement.why else Skip("It has one.")
    with context.fenced():
        one_at_a_time()
        kept = _kept(context)
        if kept is not None:
            _taken_back(context, kept)
            return Done(f"It goes on from what it was on {kept.host.name} on {told(kept.role_since)}.")
        found = elsewhere(context.virtual_cluster)
        if found.host is None:
            return Wait(AGAIN_SECONDS, " ".join(each.why for each in found.refusals))
        lost = _given_up(context.virtual_cluster).first()
        adopted = adopted_elsewhere(lost.adopted, context.now) if lost else None
        made = placement_create(context.virtual_cluster, found.host, why=found.why, adopted=adopted)
        _goes(context, made)
    failpoint("recover.placed")
    return Done(made.why)


def _kept(context: StepContext) -> Placement | None:
    """Where all that was in it is still, and newer than its export.

    That is what a move left elsewhere, or the lost host itself, where somebody said that it is found again.
    """
    rows = Placement.objects.select_related("host").filter(virtual_cluster=context.virtual_cluster)
    if KEPT in context.params:
        return rows.filter(pk=context.params[KEPT]).first()
    if context.placed() is not None:  # it is half made elsewhere already
        return None
    there = rows.filter(
        role=PlacementRole.RETAINED, host__lost_at=None, host__breaker=Breaker.CLOSED, host__phase=HostPhase.CONNECTED
    )
    if given_up := there.filter(lost_at__isnull=False).order_by("-lost_at").first():
        return given_up
    moved = there.filter(lost_at=None).order_by("-role_since").first()
    return moved if moved is not None and _better_than_export(context, moved) else None


def _better_than_export(context: StepContext, placement: Placement) -> bool:
    """Newer, and not so old that the versions which it has by now could not run it."""
    key = context.params.get(EXPORT)
    export = Export.objects.filter(pk=key).first() if key else None
    if export is None or export.finished_at is None:
        return True
    if kept_too_old(placement, context.virtual_cluster):
        return False
    return placement.role_since is not None and placement.role_since > export.finished_at


def _taken_back(context: StepContext, kept: Placement) -> None:
    Placement.objects.filter(pk=kept.pk).update(
        role=PlacementRole.ACTIVE, role_since=context.now, retained_until=None, lost_at=None
    )
    params = {**context.params, KEPT: str(kept.pk), "kept_since": kept.role_since and kept.role_since.isoformat()}
    context.write(context.operation, params=params)
    _goes(context, kept)


def _goes(context: StepContext, placement: Placement) -> None:
    cluster = context.virtual_cluster
    wanted: dict[str, Any] = {"sleeping": False}
    wanted |= {"wanted_host": placement.host} if cluster.wanted_host_id is not None else {}
    VirtualCluster.objects.filter(pk=cluster.pk).update(**wanted)
    for name, value in wanted.items():
        setattr(cluster, name, value)
    context.placement_anew()


def _given_up(cluster: VirtualCluster) -> QuerySet[Placement]:
    return Placement.objects.filter(virtual_cluster=cluster, lost_at__isnull=False).order_by("-lost_at")


@step("See that nothing runs twice", on_host=False, deadline=STOPPED_SECONDS * 2)
def wait_until_stopped(context: StepContext) -> StepResult:
    """Where the lost host answers again: what it has is stopped before the same is started elsewhere."""
    lost = _given_up(context.virtual_cluster).filter(role=PlacementRole.LOST).select_related("host")
    running = [each.host for each in lost if each.host.breaker == Breaker.CLOSED]
    if not running:
        silent = ", ".join(each.host.name for each in lost)
        return Done(f"{silent} does not answer; it is stopped there as soon as it does.") if silent else None
    if seconds_in_step(context) < STOPPED_SECONDS:
        return Wait(0.5, f"{running[0].name} answers; waiting until it is stopped there.")
    return Done(f"{running[0].name} answers, but it could not be stopped there yet.")


@step("Resume its control plane")
def resume_kept(context: StepContext) -> StepResult:
    """Of one that is kept where it goes."""
    return resume_control_plane.run(context) if KEPT in context.params else MADE_AGAIN


@step("Let what is in it go on")
def free_kept(context: StepContext) -> StepResult:
    """What a move had frozen and held there. Access past the gateway ends: who lost a role meanwhile had it again."""
    if KEPT not in context.params:
        return MADE_AGAIN
    with context.virtual() as virtual:
        freeze_take_away(virtual)
        access_forget(virtual)
        pods_forget(virtual)
        all_let_go(virtual)
    return None


def from_export(made: Step) -> Step:
    """A step of a restore, for what is made again from an export."""

    def run(context: StepContext) -> StepResult:
        if KEPT in context.params:
            return IS_KEPT
        if not context.params.get(EXPORT):
            return Skip("There is no export; it comes back empty.")
        return made.run(context)

    return replace(made, run=run)
