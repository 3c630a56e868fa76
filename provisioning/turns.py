"""A message's turn at work that is claimed row by row: for a few seconds, and in few threads of a process at once."""

from collections.abc import Callable
from threading import BoundedSemaphore
from time import monotonic
from typing import Final, TypeVar

TURN_SECONDS: Final = 5.0
"""After so long a message's turn is over: the queue is shared with probes, which must not wait."""

T = TypeVar("T")


def turn_take(
    *,
    claim: Callable[[], T | None],
    look: Callable[[T], object],
    stopping: Callable[[], bool],
    room: BoundedSemaphore,
    begin: Callable[[], object] = lambda: None,
) -> int:
    """After `begin` claims one after the other and looks at it, until there is none, or the turn is over; how many.

    From when `stopping` says so, no other is begun. Does nothing where there is no `room`: the next message comes soon.
    """
    if not room.acquire(blocking=False):
        return 0
    try:
        begin()
        looked, until = 0, monotonic() + TURN_SECONDS
        while monotonic() < until and not stopping() and (claimed := claim()) is not None:
            look(claimed)
            looked += 1
        return looked
    finally:
        room.release()
