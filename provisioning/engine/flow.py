"""What a flow is: data. An ordered tuple of steps whose names are sentences, and what its ends mean for its object."""

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Step:
    """One idempotent step: run again after a crash at any line, it ends in the same place.

    `name` is a sentence for people, `deadline` the seconds it may take in all, its own waits included (None: the
    setting). `on_host`: it needs the host, so it waits for the host's slot and breaker.
    """

    key: str
    name: str
    run: Callable[["StepContext"], StepResult]
    deadline: float | None = None
    on_host: bool = True


def step(
    name: str, *, deadline: float | None = None, on_host: bool = True
) -> Callable[[Callable[["StepContext"], StepResult]], Step]:
    """Makes a function a step. Its key is the function's name, with dashes."""

    def make(run: Callable[["StepContext"], StepResult]) -> Step:
        return Step(key=run.__name__.replace("_", "-"), name=name, run=run, deadline=deadline, on_host=on_host)

    return make


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
