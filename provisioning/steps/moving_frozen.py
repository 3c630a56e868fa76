"""Moving a virtual cluster while nothing may be written to it: the rest is copied, its workloads change places.

These steps wait for no host: what takes too long is put back, and the source works as before.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings

from clusters.models import Operation, Placement, PlacementRole, VirtualCluster
from clusters.move_wish import MoveWish
from clusters.moving import COUNTS, DECIDED, FREEZE, FROZEN_AT, LEFT, MEASURED, REVISIONS, STARTING
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Done, StepResult, Wait, step
from provisioning.failpoints import failpoint, failpoint_register
from provisioning.moving.around import changed_again, written_since
from provisioning.moving.choosing import volumes_look
from provisioning.moving.freezing import (
    access_forget,
    access_suspend,
    freeze_holds,
    freeze_put,
    freeze_refuses,
    freeze_supported,
    freeze_take_away,
)
from provisioning.moving.lone_pods import pods_forget
from provisioning.moving.pods import LONGEST_GRACE
from provisioning.moving.running import Decided, started, stopped, webhooks_held, webhooks_let_go
from provisioning.moving.service_addresses import services_way
from provisioning.moving.telling import few
from provisioning.moving.workloads import Order
from provisioning.steps.move_check import refused
from provisioning.steps.moving import CARRIER, both, copied_up_to, taken_or_wait
from provisioning.steps.restoring import mark_of
from provisioning.steps.timing import seconds_in_step

failpoint_register("move.switch")

FREEZE_SECONDS: Final = 30.0
COPY_SECONDS: Final = 60.0
PASSES: Final = 4
SEVERAL_SERVERS_SECONDS: Final = 2.0
"""Where several API servers stand behind one address each of them has to have heard of the freeze."""
STOPPING_SECONDS: Final = 180.0
BEYOND_GRACE_SECONDS: Final = 60.0
READY_SECONDS: Final = 180.0
TOLD: Final = 3
UNFROZEN_INSIDE: Final = "Its version knows no admission policies: access that Marina gave is suspended, no more."


def stopping_seconds(operation: Operation) -> float:
    """As long as the slowest of its pods may take to end, and some more."""
    decided = operation.params.get(DECIDED) or {}
    longest = max((float(each.get("grace", 0.0)) for each in decided.values()), default=0.0)
    return max(STOPPING_SECONDS, min(longest, LONGEST_GRACE) + BEYOND_GRACE_SECONDS)


@step("Freeze what is written to it", deadline=FREEZE_SECONDS, patient=False)
def freeze_source(context: StepContext) -> StepResult:
    """Ends when an ordinary user's write was refused by the policy itself, and each gateway refuses by then."""
    sentence, begun = _sentence(context), context.operation.started_at or context.now
    early = settings.MOVE_KNOWN_SECONDS - (context.now - begun).total_seconds()
    if early > 0:
        return Wait(early, "Waiting for the gateways to know that it is being moved.")
    with context.fenced():
        row = VirtualCluster.objects.filter(pk=context.virtual_cluster.pk)
        row.filter(frozen_at=None).update(frozen_at=context.now, frozen_why=sentence)
    with context.virtual() as source:
        if not freeze_supported(source):
            access_suspend(source)
            _frozen(context, None)
            return _settled(context) or Done(UNFROZEN_INSIDE)
        freeze = freeze_put(source, sentence)
        if not freeze_refuses(source):
            return Wait(0.1, "Waiting for the freeze to take effect.")
        _frozen(context, freeze.as_json())
        if (waits := _settled(context)) is None:
            # not before: through a gateway that lets writes pass yet, people would be told that they may not write
            access_suspend(source)
        return waits


def _settled(context: StepContext) -> Wait | None:
    """What comes through a gateway is refused by each of them a moment later, and by each of several API servers."""
    seconds = float(settings.MOVE_GATEWAYS_KNOW_SECONDS)
    if context.virtual_cluster.replicas > 1:
        seconds = max(seconds, SEVERAL_SERVERS_SECONDS)
    left = seconds - (context.now - datetime.fromisoformat(context.params[FROZEN_AT])).total_seconds()
    return Wait(left, "Waiting for the freeze to be known everywhere.") if left > 0 else None


def _sentence(context: StepContext) -> str:
    host = context.on_target().placement.host
    return f"{context.virtual_cluster.name} is being moved to {host.name}; try again in a minute."


def _frozen(context: StepContext, freeze: dict[str, str] | None) -> None:
    since = context.params.get(FROZEN_AT) or context.now.isoformat()
    context.write(context.operation, params={**context.params, FREEZE: freeze, FROZEN_AT: since})


def freeze_checked(context: StepContext, source: KubeClient) -> None:
    """PermanentError where somebody took the freeze away: what was written since may not be at the target."""
    freeze = context.params.get(FREEZE)
    if freeze is not None and not freeze_holds(source, freeze):
        raise PermanentError(
            "Somebody who may do everything in it took the freeze away while it was moved.",
            code="unfrozen",
            hint="Move it again when nobody does that; nothing was lost.",
        )


@step("Copy the rest", deadline=COPY_SECONDS, patient=False)
def copy_rest(context: StepContext) -> StepResult:
    """What was changed until it was frozen, until a pass finds nothing to do."""
    with both(context) as (source, target):
        copied = 0
        counts: dict[str, int] | None = None  # at first the target is looked through as well, whatever it has
        for _ in range(PASSES):
            changes = CARRIER.changes(
                source, target, context.params[REVISIONS], before_page=context.lease.check, counts=counts
            )
            carried = CARRIER.carry(target, changes, mark=mark_of(context), services=services_way(context.params))
            if waits := taken_or_wait(carried, seconds=0.2):
                return waits
            copied += len(changes)
            copied_up_to(context, changes)
            counts = changes.counts
            if not carried.effects:
                freeze_checked(context, source)
                return Done(f"{copied} objects.")
    raise PermanentError("It is still written to, although it is frozen.", code="unfrozen")


@step("Stop its workloads where it was", deadline=stopping_seconds, patient=False)
def stop_workloads_first(context: StepContext) -> StepResult:
    """What acts in the cluster, and what may not run twice. They are held there from here on.

    What uses claims has ended by then: where one was bound since the last look it is put back, unless somebody chose.
    """
    with context.virtual() as source:
        freeze_checked(context, source)
        if context.params.get(FREEZE) is not None:
            webhooks_held(source)
        if left := stopped(source, (Order.CONTROLLER, Order.STOP_FIRST), _decided(context)):
            return Wait(0.2, _waiting("Waiting for pods to end", left))
        with context.on_target().virtual() as target:
            changes = CARRIER.changes(
                source,
                target,
                context.params[REVISIONS],
                before_page=context.lease.check,
                counts=context.params.get(COUNTS),
            )
            CARRIER.ended_remove(target, changes)  # of those that ended while they were being stopped
            since, services = _since(context), services_way(context.params)
            _refuse_written(changed_again(changes, source, target, since, services=services))
        if bound := volumes_look(source, choices=dict(MoveWish.of(context.params).choices)):
            raise refused(context, bound)
    return None


@step("Start its workloads where it goes", deadline=READY_SECONDS, on_target=True, patient=False)
def start_workloads(context: StepContext) -> StepResult:
    """First what answers webhooks, then these, then all others. Ends when what was ready is ready again."""
    context.write(context.operation, params={**context.params, STARTING: True})
    with context.on_target().virtual() as target:
        if left := started(target, _decided(context), only_behind_webhooks=True):
            return Wait(0.2, _waiting("Waiting for what answers webhooks", left))
        webhooks_let_go(target)
        left = started(target, _decided(context))
    if left:
        return Wait(0.2, _waiting("Waiting to be ready where it goes", left))
    if any(each["ready"] for each in _decided(context).values()):
        took = {"starting_seconds": round(seconds_in_step(context), 3)}
        context.write(context.operation, params={**context.params, MEASURED: took})
    return None


@step("Stop the others where it was", deadline=stopping_seconds, patient=False)
def stop_workloads_last(context: StepContext) -> StepResult:
    """Those that started first where it goes."""
    with context.virtual() as source:
        left = stopped(source, tuple(Order), _decided(context))
    return Wait(0.2, _waiting("Waiting for pods to end", left)) if left else None


def _decided(context: StepContext) -> Decided:
    decided: Decided = context.params[DECIDED]
    return decided


def _waiting(what: str, names: list[str]) -> str:
    return f"{what}: {few(names, TOLD)}."


@step("Let people to where it is now", deadline=COPY_SECONDS, patient=False)
def switch_placement(context: StepContext) -> StepResult:
    """Only where nobody wrote around the freeze. From here on it runs at the target, and is not frozen."""
    if LEFT in context.params:  # whoever did it ended before that was noted as a step
        return _switched(context)
    with both(context) as (source, target):
        freeze_checked(context, source)
        written = written_since(
            source,
            target,
            context.params[REVISIONS],
            _since(context),
            mark=mark_of(context),
            before_page=context.lease.check,
            counts=context.params.get(COUNTS),
            services=services_way(context.params),
        )
        _refuse_written(written)
        freeze_checked(context, source)  # the look takes a while, and what was written behind it would not be seen
        if context.params.get(FREEZE) is not None:
            freeze_take_away(target)  # left over where it goes back to where it came from
        access_forget(target)
        pods_forget(target)
        foreign, first = source.revision(), target.revision()
    failpoint("move.switch")
    with context.fenced() as row:
        if row.abort_requested:  # from here on nobody could put it back
            return Wait(0.0, "Somebody asked for its end.")
        _switch(context, foreign=foreign, first=first)
    context.placement_anew()
    return _switched(context)


def _since(context: StepContext) -> datetime:
    """When it was frozen, by the cluster's own clock where that is known; to the second, as writes are noted."""
    freeze = context.params.get(FREEZE) or {"since": context.params[FROZEN_AT]}
    return datetime.fromisoformat(freeze["since"]).replace(microsecond=0)


def _switched(context: StepContext) -> Done:
    return Done(f"It was frozen for {context.params[MEASURED]['freeze_seconds']:.1f} s.")


def _refuse_written(written: list[str]) -> None:
    """Who may do everything may act as somebody who is exempt. What they wrote is kept: the source is."""
    if written:
        told = ", ".join(written[:TOLD])
        raise PermanentError(
            f"Somebody wrote to it although it was frozen: {told}.",
            code="unfrozen",
            hint="Move it again when nobody does that; nothing was lost.",
        )


def _switch(context: StepContext, *, foreign: int, first: int) -> None:
    now, cluster = context.now, context.virtual_cluster
    source, target = context.placement, context.on_target().placement
    rows = Placement.objects.filter(virtual_cluster=cluster)
    rows.filter(pk=source.pk).update(
        role=PlacementRole.RETAINED,
        role_since=now,
        retained_until=now + timedelta(seconds=settings.MOVE_RETAINED_SECONDS),
    )
    rows.filter(pk=target.pk).update(
        role=PlacementRole.ACTIVE, role_since=now, retained_until=None, foreign_revision=foreign, first_revision=first
    )
    wanted: dict[str, Any] = {"frozen_at": None, "frozen_why": ""}
    if cluster.wanted_host_id is not None:
        wanted["wanted_host"] = target.host
    VirtualCluster.objects.filter(pk=cluster.pk).update(**wanted)
    since = datetime.fromisoformat(context.params[FROZEN_AT])
    measured = {**context.params.get(MEASURED, {}), "freeze_seconds": round((now - since).total_seconds(), 3)}
    params = {**context.params, MEASURED: measured, LEFT: str(source.pk)}
    # noted with it, so that neither a crash nor an abort before the step is noted puts anything back
    steps, at = list(context.operation.steps), context.operation.step
    steps[at] = {**steps[at], "state": "done"}
    Operation.objects.filter(pk=context.operation.pk).update(params=params, steps=steps)
    context.operation.params, context.operation.steps = params, steps
