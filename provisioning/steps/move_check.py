"""Looking at what a move would meet, before it changes anything; and once more after a cluster was woken for it."""

from collections.abc import Iterable, Mapping
from typing import Final

from clusters.move_wish import MoveWish
from clusters.moving import BACK
from clusters.preflight import REPORT, Finding, Weight
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Done, Skip, StepResult, step
from provisioning.moving.preflight import move_look

INSIDE: Final = "inside_checked"
"""In the params of `migrate`: what is in the cluster was looked at, and nothing of it was in the way."""


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


def _check(context: StepContext) -> StepResult:
    look, wish = move_look(context), MoveWish.of(context.params)
    looked = {REPORT: look.report.as_json(), INSIDE: look.inside is not None}
    context.write(context.operation, params={**context.params, **looked})
    in_the_way = look.report.in_the_way(wish.choices)
    if in_the_way:
        raise _refused(context, in_the_way)
    return Done(f"Nothing is in its way; {_count(look.report.findings)} worth knowing.")


def _count(findings: Iterable[Finding]) -> int:
    return sum(each.weight is Weight.NOTE for each in findings)


def _refused(context: StepContext, in_the_way: tuple[Finding, ...]) -> PermanentError:
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
