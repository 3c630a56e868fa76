"""Waiting for a condition, with a deadline that a busy machine keeps too."""

from collections.abc import Callable

from dev.waiting import wait_until

PATIENCE_SECONDS = 60.0


def until(condition: Callable[[], object], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Returns when `condition` holds. `what` is the sentence of the failure."""
    wait_until(lambda: bool(condition()), seconds=seconds, what=what)
