"""Cases in which one worker after the other is killed: far fewer than one for each place, with the same places in them.

Such a case kills at most once in a step, so a flow takes as many cases as there are places in its longest step. A
worker that goes on with a step begins it anew, which is how it is known what it will pass.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.faults.crashes.workers import HELM, Place


@dataclass(frozen=True)
class Spot:
    """The n-th passage of a failpoint since a worker began with the step; `index` is that of the step."""

    index: int
    name: str
    number: int

    def place_from(self, index: int, spots: Mapping[Place, "Spot"]) -> Place:
        """The same for a worker that begins with the step of that index; `spots` are the undisturbed run's."""
        before = [spot for spot in spots.values() if spot.name == self.name and index <= spot.index < self.index]
        return Place(self.name, len(before) + self.number)


def spots_of(passed: Iterable[Place], steps: list[str]) -> dict[Place, Spot]:
    """What a worker passed, step by step; `steps` are the keys of the flow's."""
    seen: Counter[tuple[str, str]] = Counter()
    spots: dict[Place, Spot] = {}
    for place in passed:
        if place.name != HELM:
            seen[place.step, place.name] += 1
            spots[place] = Spot(steps.index(place.step), place.name, seen[place.step, place.name])
    return spots


def chains_of(spots: Iterable[Spot]) -> list[list[Spot]]:
    """Each spot in one of them, none with two of the same step."""
    chains: list[list[Spot]] = []
    for spot in spots:
        free = next((chain for chain in chains if chain[-1].index < spot.index), None)
        if free is None:
            chains.append([spot])
        else:
            free.append(spot)
    return chains
