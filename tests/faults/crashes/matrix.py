"""Runs one scenario again and again: once undisturbed, then once for each place at which its worker is killed.

The places are not listed anywhere: they are what the undisturbed run passed. A place that only a second worker passes
(the repair of a release that the first one left half done) is found in its run, and killed at in a further case.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final
from uuid import UUID

from django.db import connection

from clusters.models import Operation
from provisioning.failpoints import RECORD_VARIABLE, VARIABLE
from tests.fakes.cluster import Request
from tests.faults.crashes.crew import ROOT
from tests.faults.crashes.outcome import Outcome, outcome_of
from tests.faults.crashes.scenarios import Scenario
from tests.faults.crashes.stage import Stage

HELM = "helm's request"
"""The name of the places inside a running helm: each of its requests that would change something."""
Stages = Callable[[bool], AbstractContextManager[Stage]]
"""Opens one; with a second host beside it where that is asked for."""


@dataclass(frozen=True)
class Place:
    """The n-th passage of a failpoint, or the n-th request of helm."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}:{self.number}"


@dataclass(frozen=True)
class Ran:
    """How one case went: what is there afterwards, and which places the last worker passed."""

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
        self._result = Result(scenario)

    def undisturbed(self) -> Ran:
        """What every other run is compared with, and the places at which a worker can be killed."""
        ran = self._play(())
        self._result.passed |= {place.name for place in ran.passed}
        return ran

    def run(self, wanted: Callable[[list[Place]], list[Place]] = lambda places: places) -> Result:
        """All cases, or those that `wanted` chooses of the first worker's places."""
        calm = self.undisturbed()
        with ThreadPoolExecutor(self._at_once) as pool:
            cases = [(place,) for place in wanted(self._places(calm))]
            later = {case[-1]: case for more in pool.map(lambda case: self._case(case, calm), cases) for case in more}
            list(pool.map(lambda case: self._case(case, calm), later.values()))
        return self._result

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
        known = {place.name for place in calm.passed}
        new = [place for place in ran.passed if place.name not in known and place.name != HELM]
        self._result.passed |= {place.name for place in new}
        return [(*killed_at, place) for place in new] if len(killed_at) == 1 else []

    def _play(self, killed_at: tuple[Place, ...]) -> Ran:
        with self._stages(self._scenario.two_hosts) as stage:
            operation = self._scenario.begin(stage)
            for place in killed_at:
                self._result.missed += not _killed_at(stage, operation.pk, place, self._scenario.armed)
            passed = _finish(stage, operation.pk, self._scenario)
            return Ran(outcome_of(stage, operation.pk), passed)


def _killed_at(stage: Stage, operation_id: UUID, place: Place, armed: str) -> bool:
    """A worker that is killed there. On a real host it may come to its end without passing there: then False."""
    kill = "" if place.name == HELM else f"{place.name}:kill:{place.number}"
    environment = {VARIABLE: ",".join(filter(None, (armed, kill)))}
    killer = _HelmKiller(place.number if place.name == HELM else 0)
    with _hooked(stage, killer):
        work = stage.crew.work(operation_id, seconds=stage.seconds, environment=environment)
        killer.worker.set_result(work.pid)
        code = work.ended()
    if code == 0 and stage.fake is None:
        return False
    assert code == -signal.SIGKILL, f"the worker was to be killed at {place} and ended with {code}"
    return True


class _HelmKiller:
    """Kills the worker when its helm is about to make this request, which never arrives."""

    def __init__(self, number: int) -> None:
        self.worker: Future[int] = Future()
        self._number = number
        self._seen = 0

    def __call__(self, request: Request) -> None:
        self._seen += _is_helms(request)
        if _is_helms(request) and self._seen == self._number:
            os.kill(self.worker.result(timeout=10), signal.SIGKILL)
            raise ConnectionResetError("its worker was killed")


def _is_helms(request: Request) -> bool:
    return request.agent.startswith("Helm")


@contextmanager
def _hooked(stage: Stage, hook: Callable[[Request], None]) -> Iterator[None]:
    """Sees each request that would change something on the stage's host, where that is a fake."""
    if stage.fake is None:
        yield
        return
    stage.fake.cluster.before.append(hook)
    try:
        yield
    finally:
        stage.fake.cluster.before.remove(hook)


def _finish(stage: Stage, operation_id: UUID, scenario: Scenario) -> tuple[Place, ...]:
    """A worker that nobody disturbs; the places it passed, in their order."""
    requests: list[str] = []
    with (
        tempfile.NamedTemporaryFile("r") as record,
        _hooked(stage, lambda request: requests.extend([HELM] * _is_helms(request))),
    ):
        environment = {RECORD_VARIABLE: record.name, VARIABLE: scenario.armed}
        code = stage.crew.work(operation_id, seconds=stage.seconds, environment=environment).ended()
        passages = Path(record.name).read_text().split()
    ended = Operation.objects.get(pk=operation_id)
    assert (code, ended.state) == (0, scenario.ends), f"{code}, {ended.state}: {ended.message}"
    return tuple(_numbered([*passages, *requests]))


def seed() -> str:
    """The commit; the day's date where there is no repository."""
    given = os.environ.get("MARINA_CRASH_SEED")
    asked = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return given or asked.stdout.strip() or time.strftime("%Y-%m-%d")


SOAK: Final = os.environ.get("MARINA_SOAK", "") not in ("", "0")
SEED: Final = seed()


def drawn(scenario: Scenario, places: list[Place], *, most: int) -> list[Place]:
    """Those that this run tries: some, drawn by the commit, in the soak all."""
    if SOAK or not most:
        return places
    return Random(f"{SEED} {scenario.name}").sample(places, min(most, len(places)))


def _numbered(names: list[str]) -> Iterator[Place]:
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield Place(name, seen[name])
