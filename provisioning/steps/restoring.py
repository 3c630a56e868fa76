"""Making what an export holds again inside a virtual cluster, and looking at what came of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from clusters.models import Operation
from clusters.restoration import EXPORT, OVERWRITE, PROGRESS, RESULT
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Done, StepResult, Wait, step
from provisioning.exports.comparing import compared, found_again, sentence_of
from provisioning.exports.making import Made, Maker, NotYet, Way
from provisioning.exports.opening import export_plan
from provisioning.exports.progress import Progress
from provisioning.exports.restoring import RestorePlan
from provisioning.steps.deleting import placed

SAVED_EVERY: Final = 50
"""So many objects are looked at once more where a worker dies."""
AT_ONCE: Final = 8
"""Objects that are made side by side: hosts may be far away, and each answer is waited for."""
RESTORE_SECONDS: Final = 3600.0
KIND_PATIENCE: Final = 60.0
"""Seconds that a definition may take to be established before its objects are given up."""
REFUSAL_PATIENCE: Final = 90.0
"""Seconds for which what is refused may be refused for now only: a webhook's pods have to come up first."""


def plan_of(context: StepContext) -> RestorePlan:
    """What the operation's export asks for. PermanentError where the export is gone or damaged."""
    return export_plan(context.params[EXPORT])


@step("Look at the export", on_host=False)
def look_at_export(context: StepContext) -> StepResult:
    """Reads it to its end before anything is changed: what was cut or changed is told here."""
    if placed(context) is None:
        raise PermanentError(
            "The virtual cluster that it is restored into could not be made.",
            code="not-made",
            hint="Look at its operation `provision`; once that has succeeded, retry this one.",
        )
    plan = plan_of(context)
    return Done(f"{len(plan.wanted)} objects to restore, {len(plan.not_run)} to list only.")


@step("Make what others lean on", deadline=RESTORE_SECONDS)
def restore_foundations(context: StepContext) -> StepResult:
    """Definitions of kinds, namespaces, classes and rights."""
    plan = plan_of(context)
    return objects_made(context, plan, plan.leaned_on, _maker(context, plan))


@step("Restore the objects", deadline=RESTORE_SECONDS)
def restore_objects(context: StepContext) -> StepResult:
    """All others, webhooks last; then once more what was refused for now."""
    plan = plan_of(context)
    make = _maker(context, plan)
    return objects_made(context, plan, len(plan.wanted), make) or objects_tried_again(context, plan, make)


@step("Compare with the export")
def compare_restored(context: StepContext) -> StepResult:
    """Reads everything again and keeps what differs, is missing, was refused or was not run."""
    plan, progress = plan_of(context), progress_of(context)
    with context.virtual() as virtual:
        found = found_again(virtual, plan)
        result = compared(plan, progress, found, unread=found.unread)
    context.write(context.operation, params={**context.params, RESULT: result.as_json()})
    return Done(sentence_of(result.counts))


MakerOf = Callable[[KubeClient], Maker]
"""Who makes the objects of a plan in a cluster."""


def _maker(context: StepContext, plan: RestorePlan) -> MakerOf:
    way = Way(mark=mark_of(context), overwrite=bool(context.params.get(OVERWRITE)))
    return lambda virtual: Maker(virtual, plan, way)


def mark_of(context: StepContext) -> str:
    """What this operation writes is known by it."""
    return context.operation.pk.hex[-12:]


def objects_made(context: StepContext, plan: RestorePlan, end: int, make: MakerOf) -> StepResult:
    """Makes the first `end` of a plan's objects, from where the last worker was. Waits where a kind is not served yet.

    None where all of them were tried; `objects_tried_again` has those that were not taken.
    """
    progress = progress_of(context)
    with context.virtual() as virtual, ThreadPoolExecutor(AT_ONCE) as pool:
        maker, saved = make(virtual), progress.at
        while progress.at < end:
            wait = _next(context, plan, end, maker, progress, pool)
            if wait or progress.at - saved >= SAVED_EVERY:
                saved = progress.at
                if not _saved(context, plan, progress):
                    return Wait(0.0, "It is being aborted.")
            if wait:
                return wait
    _saved(context, plan, progress)
    return None


def _next(
    context: StepContext, plan: RestorePlan, end: int, maker: Maker, progress: Progress, pool: ThreadPoolExecutor
) -> Wait | None:
    """The next ones that can be made side by side. What comes after one that has to wait is made, or found, again."""
    planned = plan.wanted[progress.at : plan.alike(progress.at, min(end, progress.at + AT_ONCE))]
    for made in list(pool.map(maker.tried, planned)):  # all have ended before any is noted
        if wait := _noted(context, plan, progress, made):
            return wait
        progress.at += 1
    return None


def _noted(context: StepContext, plan: RestorePlan, progress: Progress, made: Made | NotYet) -> Wait | None:
    """Of the one that it is at."""
    if isinstance(made, Made):
        progress.note(progress.at, made)
    elif made.alone:
        progress.again.append(progress.at)
    else:
        key = plan.wanted[progress.at].key
        if progress.waited(f"{key.kind}.{key.group}", context.now) < KIND_PATIENCE:
            return Wait(0.3, made.why)
        progress.note(progress.at, made.otherwise)
    return None


def objects_tried_again(context: StepContext, plan: RestorePlan, make: MakerOf) -> StepResult:
    """Those that were not taken at first. Waits for as long as one of them may still be taken."""
    progress = progress_of(context)
    if not progress.again:
        return None
    refused: dict[int, NotYet] = {}
    waiting = list(progress.again)
    with context.virtual() as virtual:
        maker = make(virtual)
        for tried, number in enumerate(waiting, start=1):
            try:
                progress.note(number, maker.make(plan.wanted[number]))
            except NotYet as later:
                refused[number] = later
            progress.again = [*refused, *waiting[tried:]]
            if tried % SAVED_EVERY == 0 and not _saved(context, plan, progress):
                return Wait(0.0, "It is being aborted.")
    patient = progress.waited("refused for now", context.now) < REFUSAL_PATIENCE
    if refused and not patient:
        for number, given_up in refused.items():
            progress.note(number, given_up.otherwise)
        progress.again = []
    _saved(context, plan, progress)
    if not progress.again:
        return None
    number, first = next(iter(refused.items()))
    return Wait(1.0, f"{len(refused)} objects are not taken yet, such as {plan.wanted[number].key}: {first.why}")


def progress_of(context: StepContext) -> Progress:
    """How far it is."""
    return Progress.of_json(context.params.get(PROGRESS))


def _saved(context: StepContext, plan: RestorePlan, progress: Progress) -> bool:
    """Keeps how far it has come. False where somebody wants it to end; LeaseLost where it is no longer ours."""
    fields: dict[str, Any] = {"params": {**context.params, PROGRESS: progress.as_json()}}
    with context.fenced() as row:
        if not row.abort_requested:
            fields["message"] = f"{progress.at} of {len(plan.wanted)} objects."
        Operation.objects.filter(pk=row.pk).update(**fields)
    for name, value in fields.items():
        setattr(context.operation, name, value)
    return not row.abort_requested
