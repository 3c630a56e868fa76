"""A move that fails anywhere before people are let to where it goes leaves the source working as before.

One cluster is moved again and again, and each time the move is made to fail at another place: before and after each
step, after each effect of a driver. Each time it is put back, and what was made where it would have gone is removed.
The places are those that an undisturbed move passes.
"""

import time
from collections.abc import Callable
from typing import Any

from clusters.models import Operation, OperationKind, Placement, VirtualCluster
from provisioning.drivers.kinds import NAMESPACE
from provisioning.failpoints import VARIABLE
from tests.faults.crashes.matrix import Matrix, Place, Stages
from tests.faults.crashes.moving import again
from tests.faults.crashes.outcome import Outcome, outcome_of
from tests.faults.crashes.scenarios import SCENARIOS
from tests.faults.crashes.stage import Stage

MOVE = next(scenario for scenario in SCENARIOS if scenario.name == "migrate")
SWITCH = "move.switch"


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
    for removal in Operation.objects.filter(kind=OperationKind.REMOVE_PLACEMENT, finished_at=None):
        stage.finish(removal.pk)
    return operation


def test_the_source_works_as_before_wherever_it_fails(stages: Stages, tell: Callable[[str], None]) -> None:
    begun = time.monotonic()
    places = before_the_switch(Matrix(MOVE, stages, at_once=1).undisturbed().passed)
    with stages(True) as stage:
        first = MOVE.begin(stage)
        cluster = VirtualCluster.objects.get(operations=first)
        stage.crew.work(first.pk, seconds=stage.seconds, environment={VARIABLE: "step.before:fail:1"}).ended()
        for removal in Operation.objects.filter(kind=OperationKind.REMOVE_PLACEMENT, finished_at=None):
            stage.finish(removal.pk)
        wanted = as_it_was(outcome_of(stage, first.pk))
        for place in places:
            operation = failed_at(stage, place, cluster)
            assert (operation.state, operation.error_code) == ("Failed", "failpoint"), f"{place}: {operation.message}"
            assert as_it_was(outcome_of(stage, operation.pk)) == wanted, f"failed at {place}"
            placement = Placement.objects.get(virtual_cluster=cluster)
            assert placement.role == "active", f"failed at {place}"
            assert stage.beside
            assert stage.beside.kube.get(NAMESPACE, placement.namespace) is None, f"failed at {place}"
    tell(f"moves that fail: {len(places)} places in {time.monotonic() - begun:.1f} s")
