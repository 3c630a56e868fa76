"""Filters of lists as links, each with the address that it leads to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """One choice of a filter. `count` is empty where it is not told."""

    words: str
    address: str
    current: bool
    count: str = ""
