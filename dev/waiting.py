"""Waiting for a condition with a deadline, instead of for a time that is hoped to be enough."""

import time
from collections.abc import Callable

from dev.errors import DevError

_SOONEST_SECONDS, _LATEST_SECONDS = 0.05, 0.4
_SHARE = 0.05
"""Of what was waited already: looking costs more than it tells where something takes long."""


def wait_until(
    condition: Callable[[], bool],
    *,
    seconds: float,
    what: str,
    alive: Callable[[], None] = lambda: None,
    every: float | None = None,
) -> None:
    """Returns when `condition` holds; raises DevError "WHAT did not ... within N s" after `seconds`.

    `alive` is asked each time and may raise, so that nobody waits for a process that has died. `every`: seconds between
    two looks, for who measures how long it took; by itself they become rarer the longer it takes.
    """
    begun = time.monotonic()
    while not condition():
        alive()
        waited = time.monotonic() - begun
        if waited > seconds:
            raise DevError(f"{what} within {seconds:.0f} s.")
        time.sleep(every or min(max(waited * _SHARE, _SOONEST_SECONDS), _LATEST_SECONDS))
