"""When somebody set out to write: writes that follow each other closely are one burst."""

from collections.abc import Iterable
from typing import Final

KEPT: Final = 8
BURST_SECONDS: Final = 30.0
"""A `kubectl apply` of many objects writes for some seconds, one a second: that is no steady interval."""


def bursts(known: Iterable[float], new: Iterable[float]) -> list[float]:
    """When the last KEPT bursts began, ascending: those known and what was written since.

    `known` are beginnings of bursts. A burst goes on as long as the next write comes within BURST_SECONDS.
    """
    began: list[float] = []
    last = float("-inf")
    for moment in sorted({*known, *new}):
        if moment - last >= BURST_SECONDS:
            began.append(moment)
        last = moment
    return began[-KEPT:]
