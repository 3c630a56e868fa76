"""A worker that was frozen past its lease: another one finishes its work, and it does nothing more when it wakes."""

from collections.abc import Callable

import pytest

from dev.processes import Process
from tests.faults.conftest import LEDGER_HOST
from tests.faults.drill_names import EFFECTS, effect_name
from tests.faults.ledger import Ledger
from tests.faults.system import System, freeze, thaw, timed
from tests.faults.waiting import until


@pytest.fixture(params=["while it looks", "while it makes"])
def frozen(drills: System, ledger: Ledger, request: pytest.FixtureRequest) -> tuple[Process, str]:
    """A worker frozen in the middle of a step's outside call, and the operation it was at.

    One that was looking would make something next; one that was making would write that it is made.
    """
    with ledger.holding(looks=request.param == "while it looks"):
        operation = drills.create(f"frozen-{drills.started()}", LEDGER_HOST)
        first = effect_name(operation, EFFECTS[0])
        until(lambda: any(path.endswith(first) for path in ledger.held), "no call was held")
        worker = drills.worker_of(operation)
        freeze(worker)
    return worker, operation


def test_a_frozen_worker_is_taken_over_and_writes_nothing_and_calls_nobody_when_it_wakes(
    drills: System, ledger: Ledger, frozen: tuple[Process, str], figure: Callable[[str, object], None]
) -> None:
    worker, operation = frozen
    figure("taken over and ended after (s, lease 3 s)", timed(lambda: drills.ended([operation]), "it did not end"))
    row = drills.operation(operation)
    assert row["state"] == "Succeeded"
    assert row["lease_token"] > 1
    before = drills.everything([operation])
    calls = ledger.calls(f"drill-{operation}")
    written = worker.log.stat().st_size
    thaw(worker)
    until(lambda: "gave up an operation" in _since(worker, written), "it did not notice that it lost its lease")
    # it goes on to work on what is its own
    following = drills.create(f"following-{drills.started()}", LEDGER_HOST)
    drills.ended([following])
    assert drills.everything([operation]) == before
    effects = ledger.effects(f"drill-{operation}")
    assert [effect.name for effect in effects if effect.new] == [effect_name(operation, key) for key in EFFECTS]
    tokens = [int(effect.body["data"]["token"]) for effect in effects]
    assert tokens == sorted(tokens), "an effect of the old lease came after one of the new"
    assert ledger.calls(f"drill-{operation}") == calls, "it began another call"


def _since(worker: Process, size: int) -> str:
    return worker.log.read_bytes()[size:].decode()
