"""Looking at what a move would meet, before it changes anything; and again until it is frozen."""

from collections.abc import Iterable, Mapping
from typing import Final

from clusters.move_wish import MoveWish
from clusters.moving import BACK
from clusters.preflight import REPORT, Finding, Weight
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Done, Skip, StepResult, Wait, step
from provisioning.moving.choosing import chosen_look
from provisioning.moving.preflight import move_look
from provisioning.moving.telling import counted_told, few
from provisioning.steps.timing import seconds_in_step

INSIDE: Final = "inside_checked"
"""In the params of `migrate`: what is in the cluster was looked at, and nothing of it was in the way."""

LATE_JOBS_SECONDS: Final = 600.0
"""So long Jobs that were started since keep a copied cluster from being frozen, where that was chosen."""
FROZEN_SECONDS: Final = 30.0


@step("Check what the move would meet")
def check_move(context: StepContext) -> StepResult:
    """Keeps the report. PermanentError with all that is in the way; of one that is asleep, as far as can be told."""
    return _check(context)


@step("Check what the move would meet inside")
def check_inside(context: StepContext) -> StepResult:
    """For a cluster that was woken for it."""
    if context.params.get(INSIDE):
        return Skip("That was looked at before.")
    return _check(context)


@step("Look again at what needs a choice", deadline=LATE_JOBS_SECONDS * 2)
def look_again(context: StepContext) -> StepResult:
    """Of what came since it was checked. Where somebody chose to wait for Jobs, for those that run now, a little.

    PermanentError where nobody chose: then it is put back, and nothing is lost.
    """
    return _look_again(context, patience=LATE_JOBS_SECONDS)


@step("See that nothing came that needs a choice", deadline=FROZEN_SECONDS, patient=False)
def look_frozen(context: StepContext) -> StepResult:
    """The last look, from which on only Kubernetes itself changes anything. A Job waits for its end no more."""
    return _look_again(context, patience=0.0)


def _look_again(context: StepContext, *, patience: float) -> StepResult:
    wish = MoveWish.of(context.params)
    to = context.on_target().placement.host.name
    with context.virtual() as source:
        looked = chosen_look(source, to=to, choices=dict(wish.choices))
    if looked.unchosen:
        raise refused(context, looked.unchosen)
    if not looked.jobs:
        return None
    told = f"{counted_told(len(looked.jobs), 'Job runs', 'Jobs run')}: {few(looked.jobs)}."
    if seconds_in_step(context) < patience:
        return Wait(1.0, told)
    raise PermanentError(
        f"{told} It was to wait for Jobs, and there are always some.",
        code="needs-choice",
        hint="Move it when none runs, suspend the CronJob that starts them, or choose --jobs restart.",
    )


def _check(context: StepContext) -> StepResult:
    look, wish = move_look(context), MoveWish.of(context.params)
    looked = {REPORT: look.report.as_json(), INSIDE: look.inside is not None}
    context.write(context.operation, params={**context.params, **looked})
    in_the_way = look.report.in_the_way(wish.choices)
    if in_the_way:
        raise refused(context, in_the_way)
    return Done(f"Nothing is in its way; {_count(look.report.findings)} worth knowing.")


def _count(findings: Iterable[Finding]) -> int:
    return sum(each.weight is Weight.NOTE for each in findings)


def refused(context: StepContext, in_the_way: tuple[Finding, ...]) -> PermanentError:
    """What is in the way of a move, and what to do: for each what its own hint says, or what can be chosen."""
    blocks = [each for each in in_the_way if each.weight is Weight.BLOCKS]
    told = " ".join(_sentence(each) for each in in_the_way)
    hints = list(dict.fromkeys(each.hint for each in blocks if each.hint))
    if len(blocks) < len(in_the_way):
        hints.append(f"Choose: {_command(context, in_the_way)}")
    return PermanentError(told, code="blocked" if blocks else "needs-choice", hint=" ".join(hints))


def _sentence(finding: Finding) -> str:
    named = finding.about and finding.about not in finding.message
    return f"{finding.message.rstrip('.')} ({finding.about})." if named else finding.message


def _command(context: StepContext, in_the_way: tuple[Finding, ...]) -> str:
    """What answers it, to be completed where there is more than one answer."""
    cluster, wish = context.virtual_cluster, MoveWish.of(context.params)
    where = "--back" if context.params.get(BACK) else f"--to {wish.to.name}" if wish.to else ""
    asked: Mapping[str, Iterable[str]] = {each.choice: each.options for each in in_the_way if each.choice}
    made = {name: (chosen,) for name, chosen in wish.choices.items() if name not in asked}
    options = " ".join(f"--{name} {'|'.join(chosen)}" for name, chosen in {**made, **asked}.items())
    return " ".join(filter(None, (f"marina migrate {cluster.name} --project {cluster.project}", where, options)))
