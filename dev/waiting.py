"""Waiting for a condition with a deadline, instead of for a time that is hoped to be enough."""

import time
from collections.abc import Callable

from dev.errors import DevError

_LOOK_EVERY_SECONDS = 0.05


def wait_until(
    condition: Callable[[], bool], *, seconds: float, what: str, alive: Callable[[], None] = lambda: None
) -> None:
    """Returns when `condition` holds; raises DevError "WHAT did not ... within N s" after `seconds`.

    `alive` is asked each time and may raise, so that nobody waits for a process that has died.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        alive()
        if time.monotonic() > deadline:
            raise DevError(f"{what} within {seconds:.0f} s.")
        time.sleep(_LOOK_EVERY_SECONDS)
