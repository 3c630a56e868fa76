"""What a flow is: data. An ordered tuple of steps whose names are sentences, and what its ends mean for its object."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from clusters.models import Operation, OperationKind

if TYPE_CHECKING:
    from provisioning.engine.context import StepContext


@dataclass(frozen=True)
class Wait:
    """A step's answer when it has to wait: look again after `seconds`. `why` is shown to people."""

    seconds: float
    why: str


@dataclass(frozen=True)
class Skip:
    """A step's answer when there was nothing to do. `why` is shown to people."""

    why: str


@dataclass(frozen=True)
class Done:
    """A step's answer when it did something of which people want to know the reason. `why` is shown to them."""

    why: str


StepResult = Wait | Skip | Done | None
"""None means done."""
Deadline = float | Callable[[Operation], float]
"""Seconds."""


@dataclass(frozen=True)
class Step:
    """One idempotent step: run again after a crash at any line, it ends in the same place.

    `name` is a sentence for people, `deadline` the seconds it may take in all, its own waits included (None: the
    setting), or what tells them of its operation. `on_host`: it needs the host, so it waits for the host's slot and
    breaker. `on_target`: the host that it needs is the one to which its cluster moves. `patient`: it waits for a host
    that does not answer for as long as it takes; else that counts as an error like any other.
    """

    key: str
    name: str
    run: Callable[["StepContext"], StepResult]
    deadline: Deadline | None = None
    on_host: bool = True
    on_target: bool = False
    patient: bool = True


def step(
    name: str, *, deadline: Deadline | None = None, on_host: bool = True, on_target: bool = False, patient: bool = True
) -> Callable[[Callable[["StepContext"], StepResult]], Step]:
    """Makes a function a step. Its key is the function's name, with dashes."""

    def make(run: Callable[["StepContext"], StepResult]) -> Step:
        key = run.__name__.replace("_", "-")
        return Step(key, name, run, deadline=deadline, on_host=on_host, on_target=on_target, patient=patient)

    return make


def on_target(made: Step, name: str, *, patient: bool = True) -> Step:
    """The same step for the placement to which its cluster moves."""

    def run(context: "StepContext") -> StepResult:
        return made.run(context.on_target())

    return replace(made, key=f"target-{made.key}", name=name, run=run, on_target=True, patient=patient)


Hook = Callable[[Operation, datetime], None]
"""Writes what a flow's start or end means for its object, in the same transaction."""


def nothing(operation: Operation, now: datetime) -> None:
    """The hook of flows that leave their object's state alone."""


LeftBehind = Callable[["StepContext"], list[dict[str, str]]]
"""Lists what an operation that ended early left: kind, name, namespace ("" for none) and host of each object."""


def nothing_left(context: "StepContext") -> list[dict[str, str]]:
    """Of flows that make nothing that stays."""
    return []


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How a kind of operation is done.

    `breaker`: it waits for as long as its host does not answer. `slots`: it takes one of its host's slots while it is
    worked on. `left_behind`: what one that failed or was aborted left on hosts.

    `undo`: the steps that put back what was done where it fails or is aborted. They follow the step at which it ended,
    and it comes to its end after the last of them. `final` is the key of the step after which nothing is put back:
    from there on it goes on to its end, whoever asks for an abort, unless another operation takes its place.
    """

    kind: OperationKind
    steps: tuple[Step, ...]
    on_start: Hook = nothing
    on_success: Hook = nothing
    on_failure: Hook = nothing
    on_abort: Hook = nothing
    breaker: bool = True
    slots: bool = True
    left_behind: LeftBehind = nothing_left
    undo: tuple[Step, ...] = ()
    final: str = ""
