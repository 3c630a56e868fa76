"""Whether something comes back at a steady interval, as programs do and people do not."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Final

INTERVALS_LEAST: Final = 4
"""So many have to be seen before anything is called steady."""
VARIATION_MOST: Final = 0.15
"""The greatest coefficient of variation (standard deviation by mean) of a steady interval.

Somebody who is at work all the time, looked at every ten minutes, comes to about 0.4.
"""


def steady(times: Sequence[float]) -> bool:
    """`times` in seconds, ascending. Less than five say nothing."""
    if len(times) <= INTERVALS_LEAST:
        return False
    intervals = [later - earlier for earlier, later in pairwise(times)]
    mean = fmean(intervals)
    return mean > 0 and pstdev(intervals) / mean <= VARIATION_MOST
