"""Moving a virtual cluster to another host, up to where its source is frozen: all of it while the source works."""

import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final

from django.conf import settings

from clusters.adoption import adopted_elsewhere
from clusters.models import HostCluster, Placement, PlacementRole
from clusters.move_target import move_target
from clusters.moving import ACCEPT, BACK, COUNTS, DECIDED, DIFFERENCES, JOBS_WAIT, ORDERS, REVISIONS, SLEPT
from clusters.preflight import CHOICES
from provisioning.drivers.kinds import CONFIG_MAP, JOB
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Done, Skip, StepResult, Wait, step
from provisioning.exports.identity import ObjectId
from provisioning.moving.by_objects import ByObjects
from provisioning.moving.carrier import Carrier
from provisioning.moving.carrying import Carried
from provisioning.moving.changes import Changes
from provisioning.moving.preflight import move_wish
from provisioning.moving.service_addresses import services_way
from provisioning.moving.workloads import workloads_of, workloads_ordered
from provisioning.steps.names import ACCESS_NAMESPACE
from provisioning.steps.placing import one_at_a_time, placement_create
from provisioning.steps.restoring import mark_of
from provisioning.steps.sleeping import resume_control_plane
from provisioning.steps.timing import seconds_in_step

CARRIER: Final[Carrier] = ByObjects()
"""How state is carried, for all steps of a move."""
COPY_SECONDS: Final = 3600.0
PATIENCE_SECONDS: Final = 60.0
"""So long what the target does not take yet is tried again."""
JOBS_SECONDS: Final = 6 * 3600.0
FEW: Final = 20
"""With no more changes than that the source may be frozen: the rest is copied in a moment."""
ROUNDS: Final = 5
FEWER: Final = 0.75
"""With a greater share of the round before there are as many in each round to come: somebody writes without a pause."""
TOLD: Final = 5
CHEAP_REVISIONS: Final = 3000
"""So many writes at most bring the target's resourceVersions past the source's; each takes some milliseconds."""
RAISE_SECONDS: Final = 3.0
"""So long at most: people write meanwhile, which is copied while they are frozen."""
COUNTERS: Final = 8
"""ConfigMaps that are written for it, side by side."""


@step("Choose its place on the host", on_host=False)
def place_target(context: StepContext) -> StepResult:
    """Writes the placement before anything is on the host. Of one that goes back it is the retained one."""
    target = context.on_target().placed()
    if target is not None:
        return Skip(f"It goes to {target.host.name}.")
    if context.params.get(BACK):
        return _go_back(context)
    with context.fenced():
        one_at_a_time()
        host, why = _host_chosen(context)
        if _leaving(context, host):
            return Wait(1.0, f"What an earlier move left on {host.name} is still being removed.")
        adopted = adopted_elsewhere(context.placement.adopted, context.now)
        placement_create(context.virtual_cluster, host, why=why, role=PlacementRole.TARGET, adopted=adopted)
    return Done(why)


def _go_back(context: StepContext) -> StepResult:
    with context.fenced():
        rows = Placement.objects.select_for_update(of=("self",)).select_related("host")
        kept = rows.filter(virtual_cluster=context.virtual_cluster, role=PlacementRole.RETAINED, lost_at=None)
        retained = kept.order_by("-role_since", "pk").first()
        if retained is None:
            raise PermanentError("There is nowhere to go back to: what it came from is gone.", code="not-retained")
        Placement.objects.filter(pk=retained.pk).update(role=PlacementRole.TARGET)
    return Done(f"It goes back to {retained.host.name}.")


def _host_chosen(context: StepContext) -> tuple[HostCluster, str]:
    """Looked at again: the host may have changed since it was asked for."""
    wish = move_wish(context)
    found = move_target(cluster=context.virtual_cluster, wish=wish, now=context.now)
    if found.host is None or found.refusals:
        first = found.refusals[0]
        told = " ".join(each.why for each in found.refusals)
        hint = first.hint or "Name another one (marina migrate --to), or make room."
        raise PermanentError(told, code=first.code, hint=hint)
    return found.host, found.why if wish.to is None else f"It was moved here from {context.placement.host.name}."


def _leaving(context: StepContext, host: HostCluster) -> bool:
    mine = Placement.objects.filter(virtual_cluster=context.virtual_cluster, host=host)
    return mine.exclude(role=PlacementRole.ACTIVE).exists()


@step("Wake it where it was")
def wake_source(context: StepContext) -> StepResult:
    """What is asleep cannot be read. It sleeps again where it goes."""
    if not context.virtual_cluster.sleeping and SLEPT not in context.params:
        return Skip("It is awake.")
    if SLEPT not in context.params:
        cluster = context.virtual_cluster
        slept = {"by": cluster.asleep_by, "why": cluster.asleep_why}
        context.write(context.operation, params={**context.params, SLEPT: slept})
    resume_control_plane.run(context)
    return None if answers(context) else Wait(0.5, "Waiting for its API.")


@step("Wait for its Jobs", deadline=JOBS_SECONDS)
def wait_for_jobs(context: StepContext) -> StepResult:
    """Where that was chosen."""
    if context.params.get(CHOICES, {}).get("jobs") != JOBS_WAIT:
        return Skip("Nobody asked to wait for Jobs.")
    with context.virtual() as virtual:
        running = [str(each.key) for each in workloads_of(virtual) if each.kind is JOB]
    if running:
        return Wait(5.0, f"{len(running)} Jobs run, such as {running[0]}.")
    return None


@step("Copy what others lean on", deadline=COPY_SECONDS, on_target=True)
def copy_foundations(context: StepContext) -> StepResult:
    """Definitions of kinds, namespaces, classes and rights."""
    return CARRIER.seed_foundations(context)


@step("Copy its objects", deadline=COPY_SECONDS, on_target=True)
def copy_objects(context: StepContext) -> StepResult:
    """All others. What would run, call or start others is held."""
    return CARRIER.seed_objects(context)


@contextmanager
def both(context: StepContext) -> Iterator[tuple[KubeClient, KubeClient]]:
    """The virtual APIs of source and target."""
    with context.virtual() as source, context.on_target().virtual() as target:
        yield source, target


@step("Copy what was changed meanwhile", deadline=COPY_SECONDS)
def copy_changes(context: StepContext) -> StepResult:
    """Round by round, until so little changes between two that the source can be frozen for the rest, or no less."""
    before = math.inf
    for _ in range(ROUNDS):
        with both(context) as (source, target):
            changes = CARRIER.changes(source, target, _revisions(context), before_page=context.lease.check)
            carried = CARRIER.carry(target, changes, mark=mark_of(context), services=services_way(context.params))
        if waits := _not_taken(context, carried):
            return waits
        copied_up_to(context, changes)
        if len(changes) <= FEW:
            return Done(f"{len(changes)} objects were changed in the last round.")
        if len(changes) > before * FEWER:
            break
        before = len(changes)
    return Done(f"{len(changes)} objects are changed from one round to the next; they are copied while it is frozen.")


def _not_taken(context: StepContext, carried: Carried) -> Wait | None:
    """PermanentError where something was refused, or not taken for long."""
    waits = taken_or_wait(carried, seconds=0.5)
    if waits and seconds_in_step(context) > PATIENCE_SECONDS:
        raise _not_made(carried.waiting)
    return waits


def taken_or_wait(carried: Carried, *, seconds: float) -> Wait | None:
    """None where all was taken. PermanentError where something was refused."""
    if carried.refused:
        raise _not_made(carried.refused)
    if not carried.waiting:
        return None
    key, why = next(iter(carried.waiting.items()))
    return Wait(seconds, f"{len(carried.waiting)} objects are not taken yet, such as {key}: {why}")


def _not_made(why: Mapping[ObjectId, str]) -> PermanentError:
    """Of objects, each with the reason."""
    told = " ".join(f"{key}: {reason}" for key, reason in list(why.items())[:TOLD])
    return PermanentError(
        f"{len(why)} objects cannot be made where it goes. {told}",
        code="not-taken",
        hint="Mend or delete them, then move it again.",
    )


def _revisions(context: StepContext) -> Mapping[str, int]:
    """Up to where the source was copied; at first what the seed says."""
    kept: dict[str, int] | None = context.params.get(REVISIONS)
    return CARRIER.seeded_up_to(context) if kept is None else kept


def copied_up_to(context: StepContext, changes: Changes) -> None:
    """What was changed until then is at the target."""
    noted = {REVISIONS: changes.revisions, COUNTS: changes.counts}
    context.write(context.operation, params={**context.params, **noted})


@step("Compare the copy", deadline=COPY_SECONDS)
def compare_copy(context: StepContext) -> StepResult:
    """Every object of either side, by digest, less what was changed since it was copied.

    PermanentError where something is not the same, unless that was accepted.
    """
    with both(context) as (source, target):
        compared = CARRIER.compare(
            source, target, _revisions(context), before_page=context.lease.check, services=services_way(context.params)
        )
    if not compared.differing:
        return Done(f"{compared.count} objects are the same.")
    told = " ".join(f"{each}." for each in compared.differing[:TOLD])
    if context.params.get(CHOICES, {}).get(DIFFERENCES) == ACCEPT:
        return Done(f"{len(compared.differing)} of {compared.count} objects differ, which was accepted: {told}")
    raise PermanentError(
        f"{len(compared.differing)} of {compared.count} objects are not the same where it goes: {told}",
        code="copy-differs",
        hint="Something at the target changes them. Find out what, or accept it: marina migrate --differences accept.",
    )


@step("Make its versions go on")
def raise_revisions(context: StepContext) -> StepResult:
    """Brings the target's resourceVersions past the source's, where few writes do that.

    Whoever watched the source then never takes a version of it for one of the target's.
    """
    with both(context) as (source, target):
        wanted = source.revision() + settings.MOVE_REVISIONS_AHEAD
        missing = wanted - target.revision()
        if 0 < missing <= CHEAP_REVISIONS:
            until = time.monotonic() + RAISE_SECONDS
            with ThreadPoolExecutor(COUNTERS) as pool:
                list(pool.map(partial(_count, target, missing, until), range(COUNTERS)))
        for lane in range(COUNTERS):
            target.delete(CONFIG_MAP, _counter(lane), ACCESS_NAMESPACE)
        missing = wanted - target.revision()
    if missing <= 0:
        return None
    return Skip(f"They are {missing} behind: the gateway tells whoever asks for an old one to begin anew.")


def _count(target: KubeClient, writes: int, until: float, lane: int) -> None:
    """One lane's share of so many writes, to an object of its own: hosts may be far away, and each is waited for."""
    name = _counter(lane)
    meta = {"name": name, "namespace": ACCESS_NAMESPACE}
    for number in range(lane, writes, COUNTERS):
        if time.monotonic() > until:
            return
        if number == lane:
            target.apply({"apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind, "metadata": meta})
        target.patch_merge(CONFIG_MAP, name, ACCESS_NAMESPACE, {"data": {"written": str(number)}})


def _counter(lane: int) -> str:
    return f"marina-move-{lane}"


@step("Decide in which order its workloads move")
def order_workloads(context: StepContext) -> StepResult:
    """What acts in the cluster stops before anything starts elsewhere; the others as was asked for, or as is safe."""
    with context.virtual() as source:
        ordered = workloads_ordered(workloads_of(source), context.params.get(ORDERS, {}))
    decided = {
        str(each.key): {"order": each.order, "ready": each.ready, "grace": each.grace if each.replicas else 0.0}
        for each in ordered
    }
    context.write(context.operation, params={**context.params, DECIDED: decided})
    counts = {order: sum(each.order == order for each in ordered) for order in {each.order for each in ordered}}
    return Done(", ".join(f"{count} {order}" for order, count in sorted(counts.items())) or "It has none.")


@step("Wake what it comes back to", on_target=True)
def resume_target(context: StepContext) -> StepResult:
    """The retained copy, with its workloads held as they were when it was left."""
    if not context.params.get(BACK):
        return Skip("It goes to a new place.")
    target = context.on_target()
    resume_control_plane.run(target)
    return None if answers(target) else Wait(0.3, "Waiting for its API.")


def answers(context: StepContext) -> bool:
    """Whether its API is up."""
    try:
        with context.virtual() as virtual:
            return virtual.readyz()
    except TemporaryError:
        return False
