"""A move that fails anywhere before people are let to where it goes leaves the source working as before.

One cluster is moved again and again, and each time the move is made to fail at another place: before and after each
step, after each effect of a driver. Each time it is put back, and what was made where it would have gone is removed.
The places are those that an undisturbed move passes.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection

from clusters.models import Operation, OperationKind, Placement, VirtualCluster
from clusters.moving import LEFT
from provisioning.drivers.kinds import NAMESPACE
from provisioning.failpoints import VARIABLE
from tests.faults.crashes.matrix import SOAK, Matrix, Stages
from tests.faults.crashes.moving import again
from tests.faults.crashes.outcome import Outcome, outcome_of
from tests.faults.crashes.scenarios import SCENARIOS
from tests.faults.crashes.stage import Stage
from tests.faults.crashes.workers import Place

MOVE = next(scenario for scenario in SCENARIOS if scenario.name == "migrate")
SWITCH = "move.switch"
AT_ONCE = 3
MENDED = ("kube.create",)
"""Whoever creates an object and gets no good answer looks whether it is there, and goes on where it is."""


def before_the_switch(places: tuple[Place, ...]) -> list[Place]:
    """A place that a step passes again when it waited counts once a name and number."""
    names = [place.name for place in places]
    return [place for place in places[: names.index(SWITCH) + 1] if place.name != "helm's request"]


def as_it_was(outcome: Outcome) -> dict[str, Any]:
    """The cluster's row, and what is on its host and in it, without who wrote which field and how often."""
    cluster = {key: value for key, value in outcome.rows["virtual_cluster"].items() if key != "conditions"}
    return {"cluster": cluster, "host": plain(outcome.host["from"]), "inside": plain(outcome.inside)}


def plain(objects: dict[str, Any]) -> dict[str, Any]:
    aside = ("managedFields", "generation")
    return {
        name: {**each, "metadata": {key: value for key, value in each["metadata"].items() if key not in aside}}
        if "metadata" in each
        else each
        for name, each in objects.items()
    }


def failed_at(stage: Stage, place: Place, cluster: VirtualCluster) -> Operation:
    """Moved with this place armed, until that was put back and what was made is removed."""
    operation = again(stage, cluster)
    environment = {VARIABLE: f"{place.name}:fail:{place.number}"}
    assert stage.crew.work(operation.pk, seconds=stage.seconds, environment=environment).ended() == 0
    operation.refresh_from_db()
    removals_finish(stage)
    return operation


def removals_finish(stage: Stage) -> None:
    mine = {"virtual_cluster__name": stage.name, "kind": OperationKind.REMOVE_PLACEMENT, "finished_at": None}
    for removal in Operation.objects.filter(**mine):
        stage.finish(removal.pk)


@dataclass(frozen=True)
class Moving:
    """A cluster on its way again and again, and how it was before."""

    stage: Stage
    cluster: VirtualCluster
    before: dict[str, Any]

    def check(self, place: Place) -> bool:
        """Whether it came by there. On a real host it may get where it goes without, as it waited less often."""
        operation = failed_at(self.stage, place, self.cluster)
        if self.stage.fake is None and LEFT in operation.params:
            return False
        assert (operation.state, operation.error_code) == ("Failed", "failpoint"), f"{place}: {operation.message}"
        assert as_it_was(outcome_of(self.stage, operation.pk)) == self.before, f"failed at {place}"
        placement = Placement.objects.get(virtual_cluster=self.cluster)
        assert placement.role == "active", f"failed at {place}"
        assert self.stage.beside
        assert self.stage.beside.kube.get(NAMESPACE, placement.namespace) is None, f"failed at {place}"
        return True


@contextmanager
def moving(stages: Stages) -> Iterator[Moving]:
    with stages(True) as stage:
        first = MOVE.begin(stage)
        cluster = VirtualCluster.objects.get(operations=first)
        stage.crew.work(first.pk, seconds=stage.seconds, environment={VARIABLE: "step.before:fail:1"}).ended()
        removals_finish(stage)
        yield Moving(stage, cluster, as_it_was(outcome_of(stage, first.pk)))


@pytest.mark.timeout(1500)
def test_the_source_works_as_before_wherever_it_fails(stages: Stages, tell: Callable[[str], None]) -> None:
    fail_everywhere(stages, tell)


@pytest.mark.skipif(not SOAK, reason="an hour on real API servers: the soak does it")
@pytest.mark.localkube
@pytest.mark.timeout(7200)
def test_the_same_on_real_hosts(real_stages: Stages, tell: Callable[[str], None]) -> None:
    fail_everywhere(real_stages, tell)


def fail_everywhere(stages: Stages, tell: Callable[[str], None]) -> None:
    begun = time.monotonic()
    places = before_the_switch(Matrix(MOVE, stages, at_once=1).undisturbed().passed)
    failing = [place for place in places if place.name not in MENDED]

    def some(number: int) -> list[Place]:
        """Those of its share that were not passed."""
        left, missed = deque(failing[number::AT_ONCE]), []
        try:
            while left:
                with moving(stages) as move:
                    here = True
                    while left and here:
                        here = move.check(left[0])
                        missed += [] if here else [left[0]]
                        left.popleft()
        finally:
            connection.close()
        return missed

    with ThreadPoolExecutor(AT_ONCE) as pool:
        missed = [place for share in pool.map(some, range(AT_ONCE)) for place in share]
    told = f", not passed: {', '.join(map(str, missed))}" if missed else ""
    tell(f"moves that fail: {len(failing)} places in {time.monotonic() - begun:.1f} s{told}")
    passed = Counter(place.name for place in failing) - Counter(place.name for place in missed)
    assert passed.keys() == {place.name for place in failing}
