"""Runs one scenario again and again: once undisturbed, then with its worker killed at each place where it can be.

The places are not listed anywhere: they are what the undisturbed run passed. A place that only a second worker passes
(the repair of a release that the first one left half done) is found in its run, and killed at in a further case.
"""

import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from random import Random
from typing import Final
from uuid import UUID

from django.db import connection

from provisioning.flows import FLOWS
from tests.faults.crashes.chains import Spot, chains_of, spots_of
from tests.faults.crashes.crew import ROOT
from tests.faults.crashes.outcome import Outcome, outcome_of
from tests.faults.crashes.scenarios import Scenario
from tests.faults.crashes.stage import Stage
from tests.faults.crashes.workers import HELM, Place, worker_finishes, worker_killed

Stages = Callable[[bool], AbstractContextManager[Stage]]
"""Opens one; with a second host beside it where that is asked for."""
ROUNDS = 2
"""Of cases in which many are killed: who goes on after a kill may come by fewer places than the undisturbed one."""


@dataclass(frozen=True)
class Ran:
    """How one case went: what is there afterwards, which places the last worker passed."""

    outcome: Outcome
    passed: tuple[Place, ...]


@dataclass
class Result:
    """Of a whole scenario. `faults` is empty where every case ended as the undisturbed run did.

    `missed`: places that a worker did not come by, because it had to wait less often than the undisturbed one.
    """

    scenario: Scenario
    cases: int = 0
    missed: int = 0
    passed: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


class Matrix:
    """`stages` opens a new stage for each case; `at_once` of them are played at the same time."""

    def __init__(self, scenario: Scenario, stages: Stages, *, at_once: int) -> None:
        self._scenario = scenario
        self._stages = stages
        self._at_once = at_once
        self._steps = [step.key for step in FLOWS[scenario.kind].steps]
        self._result = Result(scenario)

    def undisturbed(self) -> Ran:
        """What every other run is compared with, and the places at which a worker can be killed."""
        ran = self._play(())
        self._result.passed |= {place.name for place in ran.passed}
        return ran

    def run(self, wanted: Callable[[list[Place]], list[Place]] = lambda places: places) -> Result:
        """A case for each place, or for those that `wanted` chooses of the first worker's."""
        calm = self.undisturbed()
        with ThreadPoolExecutor(self._at_once) as pool:
            self._alone(wanted(self._places(calm)), calm, pool)
        return self._result

    def run_in_chains(self) -> Result:
        """All places in few cases; those that none of them came by get one of their own.

        Where such a case does not end as the undisturbed run, each of its places gets one, which tells where the fault
        is.
        """
        calm = self.undisturbed()
        places = left = self._places(calm)
        # what is passed while undoing what was done bears the name of no step
        spots = {} if self._scenario.after else spots_of(calm.passed, self._steps)
        faults: list[str] = []
        with ThreadPoolExecutor(self._at_once) as pool:
            for _ in range(ROUNDS):
                chains = chains_of([spots[place] for place in left if place in spots])
                played = list(pool.map(lambda chain: self._chain(chain, spots, calm), chains))
                been = {spot for chain in played for spot in chain.good}
                faults += [fault for chain in played for fault in chain.faults]
                left = [place for place in left if spots.get(place) not in been]
            self._result.cases += len(places) - len(left)
            self._alone(left, calm, pool)
        self._result.faults = self._result.faults or faults
        return self._result

    def _alone(self, places: list[Place], calm: Ran, pool: ThreadPoolExecutor) -> None:
        cases = [(place,) for place in places]
        later = {case[-1]: case for more in pool.map(lambda case: self._case(case, calm), cases) for case in more}
        list(pool.map(lambda case: self._case(case, calm), later.values()))

    def _places(self, calm: Ran) -> list[Place]:
        names = [place.name for place in calm.passed]
        first = names.index(self._scenario.after) + 1 if self._scenario.after else 0
        return [place for place in calm.passed[first:] if place.name != HELM or self._scenario.inside_helm]

    def _case(self, killed_at: tuple[Place, ...], calm: Ran) -> list[tuple[Place, ...]]:
        """Notes what went wrong; gives the cases that follow from this one."""
        told = f"{self._scenario.name}, killed at {', then at '.join(map(str, killed_at))}"
        try:
            ran = self._play(killed_at)
        except Exception as error:  # the other cases are to be run all the same
            self._result.faults.append(f"{told}: {type(error).__name__}: {error}")
            return []
        finally:
            connection.close()
        self._result.cases += 1
        self._result.faults += [f"{told}: {line}" for line in calm.outcome.differences(ran.outcome)]
        new = self._not_known(ran.passed, calm)
        return [(*killed_at, place) for place in new] if len(killed_at) == 1 else []

    def _not_known(self, passed: tuple[Place, ...], calm: Ran) -> list[Place]:
        """Places that only a worker passes who goes on with what another left; they count as passed."""
        known = {place.name for place in calm.passed}
        new = [place for place in passed if place.name not in known and place.name != HELM]
        self._result.passed |= {place.name for place in new}
        return new

    def _play(self, killed_at: tuple[Place, ...]) -> Ran:
        with self._stages(self._scenario.two_hosts) as stage:
            operation = self._scenario.begin(stage)
            for place in killed_at:
                there = worker_killed(stage, operation.pk, place, self._scenario.armed).there
                assert there or stage.fake is None, f"no worker came by {place}"
                self._result.missed += not there
            return self._ended(stage, operation.pk)

    def _ended(self, stage: Stage, operation_id: UUID) -> Ran:
        passed = worker_finishes(stage, operation_id, self._scenario)
        return Ran(outcome_of(stage, operation_id), passed)

    def _chain(self, chain: list[Spot], spots: dict[Place, Spot], calm: Ran) -> "_Chain":
        been: list[Spot] = []
        passed: list[tuple[Place, ...]] = []
        try:
            with self._stages(self._scenario.two_hosts) as stage:
                operation = self._scenario.begin(stage)
                for spot in chain:
                    if been and spot.index <= been[-1].index:
                        continue
                    place = spot.place_from(operation.step, spots)
                    killed = worker_killed(stage, operation.pk, place, self._scenario.armed)
                    passed.append(killed.passed)
                    if not killed.there:
                        break
                    operation.refresh_from_db()
                    been.append(list(spots_of(killed.passed, self._steps).values())[-1])
                ended = self._ended(stage, operation.pk)
        except Exception as error:  # the others are to be run all the same
            differences = [f"{type(error).__name__}: {error}"]
        else:
            differences = calm.outcome.differences(ended.outcome)
            passed.append(ended.passed)
        finally:
            connection.close()
        # who came after a kill passed a place that has to be tried too, which a case of that kill alone leads to
        alone = {spot for spot, after in zip(been, passed[1:], strict=False) if self._not_known(after, calm)}
        where = ", ".join(f"{spot.name}:{spot.number} of {self._steps[spot.index]}" for spot in been)
        told = f"{self._scenario.name}, killed one after the other at {where}"
        return _Chain(set() if differences else set(been) - alone, [f"{told}: {line}" for line in differences])


@dataclass(frozen=True)
class _Chain:
    """How one went: where workers were killed without harm, each known to need no further case, and what went wrong."""

    good: set[Spot]
    faults: list[str]


def seed() -> str:
    """The commit; the day's date where there is no repository."""
    given = os.environ.get("MARINA_CRASH_SEED")
    asked = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return given or asked.stdout.strip() or time.strftime("%Y-%m-%d")


SOAK: Final = os.environ.get("MARINA_SOAK", "") not in ("", "0")
SEED: Final = seed()


def drawn(scenario: Scenario, places: list[Place], *, most: int) -> list[Place]:
    """Those that this run tries: so many, drawn by the commit, in the soak all."""
    return places if SOAK else Random(f"{SEED} {scenario.name}").sample(places, min(most, len(places)))
