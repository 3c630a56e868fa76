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


StepResult = Wait | Skip | None
"""None means done."""


@dataclass(frozen=True)
class Step:
    """One idempotent step: run again after a crash at any line, it ends in the same place.

    `name` is a sentence for people, `deadline` the seconds it may take in all, waits included (None: the setting).
    """

    key: str
    name: str
    run: Callable[["StepContext"], StepResult]
    deadline: float | None = None


def step(name: str, *, deadline: float | None = None) -> Callable[[Callable[["StepContext"], StepResult]], Step]:
    """Makes a function a step. Its key is the function's name, with dashes."""

    def make(run: Callable[["StepContext"], StepResult]) -> Step:
        return Step(key=run.__name__.replace("_", "-"), name=name, run=run, deadline=deadline)

    return make


Hook = Callable[[Operation, datetime], None]
"""Writes what a flow's start or end means for its object, in the same transaction."""


def nothing(operation: Operation, now: datetime) -> None:
    """The hook of flows that leave their object's state alone."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How a kind of operation is done."""

    kind: OperationKind
    steps: tuple[Step, ...]
    on_start: Hook = nothing
    on_success: Hook = nothing
    on_failure: Hook = nothing
    on_abort: Hook = nothing
