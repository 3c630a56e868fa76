"""Kill a worker anywhere, and another one brings the operation to the same end.

Each flow is run on fake hosts: once undisturbed, then with its worker killed at each place where it can be: before and
after each step, after each effect of a driver, and before each effect of a running helm. In one case many workers are
killed, one after the other, each in another step; in the soak there is a case for each place. Flows, steps and places
are found by code, so that a new one is covered by itself.
"""

import time
from collections.abc import Callable

import pytest

from provisioning.failpoints import failpoint_names
from provisioning.flows import FLOWS
from tests.faults.crashes.matrix import SOAK, Matrix, Result, Stages
from tests.faults.crashes.scenarios import SCENARIOS, Scenario

AT_ONCE = 6
NEVER_PASSED = {
    "kube.delete_collection": "no flow deletes by selector alone: each object is named, with its uid",
}

_results: dict[str, Result] = {}
"""By scenario; the last test looks at all of them."""


@pytest.fixture
def result_of(stages: Stages, tell: Callable[[str], None]) -> Callable[[Scenario], Result]:
    """Runs a scenario's whole matrix, once."""

    def run(scenario: Scenario) -> Result:
        if scenario.name not in _results:
            begun = time.monotonic()
            matrix = Matrix(scenario, stages, at_once=AT_ONCE)
            result = _results[scenario.name] = matrix.run() if SOAK else matrix.run_in_chains()
            tell(f"crashes {scenario.name}: {result.cases} on fakes in {time.monotonic() - begun:.1f} s")
        return _results[scenario.name]

    return run


def test_every_flow_has_a_scenario():
    missing = FLOWS.keys() - {scenario.kind for scenario in SCENARIOS}
    assert not missing, f"tests/faults/crashes/scenarios.py sets these flows in motion nowhere: {sorted(missing)}"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_worker_killed_anywhere_changes_nothing_of_the_end(scenario, result_of):
    result = result_of(scenario)
    assert not result.faults, "\n".join(result.faults)
    flow = FLOWS[scenario.kind]
    steps = len(flow.undo) if scenario.after else len(flow.steps)
    assert result.cases >= 2 * steps, "not even every step's beginning and end"


@pytest.mark.timeout(1800)
def test_every_failpoint_is_passed_by_some_flow(result_of):
    passed = {name for scenario in SCENARIOS for name in result_of(scenario).passed}
    ours = {name for name in failpoint_names() if not name.startswith("test.")}
    assert ours - passed == NEVER_PASSED.keys()
