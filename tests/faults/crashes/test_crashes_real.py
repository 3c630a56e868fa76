"""The same on real API servers, with the real helm: some cases in each run, all of them in the soak.

Which cases is drawn by the commit, so that each is tried again and again as the work goes on; the seed is printed at
the end of the run. MARINA_CRASH_SEED draws as another commit did, MARINA_SOAK=1 runs all.
"""

import time
from collections.abc import Callable
from random import Random

import pytest

from tests.faults.crashes.matrix import SEED, SOAK, Matrix, Stages, drawn
from tests.faults.crashes.scenarios import SCENARIOS, Scenario

AT_ONCE = 4 if SOAK else 2
"""Each has an API server of its own, or two. Most of a case is waiting."""
SCENARIOS_A_RUN, PLACES_A_SCENARIO = 2, 3


DRAWN = SCENARIOS if SOAK else Random(SEED).sample(SCENARIOS, SCENARIOS_A_RUN)


@pytest.mark.localkube
@pytest.mark.timeout(7200 if SOAK else 900)
@pytest.mark.parametrize("scenario", DRAWN, ids=lambda scenario: scenario.name)
def test_a_worker_killed_on_a_real_host_changes_nothing_of_the_end(
    scenario: Scenario, real_stages: Stages, tell: Callable[[str], None]
) -> None:
    begun = time.monotonic()
    result = Matrix(scenario, real_stages, at_once=AT_ONCE).run(
        lambda places: drawn(scenario, places, most=PLACES_A_SCENARIO)
    )
    missed = f" ({result.missed} not passed)" if result.missed else ""
    told = f"crashes {scenario.name}: {result.cases} on a real API server{missed}"
    tell(f"{told} in {time.monotonic() - begun:.1f} s, seed {SEED}{', all' if SOAK else ''}")
    assert not result.faults, "\n".join(result.faults)
    assert result.cases
