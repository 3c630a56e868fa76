"""SIGTERM: each process ends by itself within its grace time, says so, and leaves its work to others."""

import time
from collections.abc import Callable

from dev.processes import Process
from tests.faults.conftest import LEDGER_HOST, STOP_GRACE_SECONDS
from tests.faults.counting import all_is_well
from tests.faults.ledger import Ledger
from tests.faults.system import System, timed
from tests.faults.waiting import until

Figure = Callable[[str, object], None]
AT_ONCE_SECONDS = 5.0
"""On a machine that has much else to do."""


def stopped(worker: Process) -> int:
    """Its exit code, when it has ended by itself."""
    until(lambda: not worker.running, "it did not stop", seconds=30)
    return worker.exit_code or 0


def test_a_worker_hands_back_what_does_not_end_in_time_and_another_one_finishes_it(
    drills: System, ledger: Ledger, figure: Figure
) -> None:
    with ledger.holding():
        ids = drills.create_many(12, LEDGER_HOST, "handed")
        until(lambda: len(ledger.held) >= 12, "they did not come to their first call")
        leaving = drills.workers[0]
        held = [row["id"] for row in drills.operations(ids) if f":{leaving.pid}:" in row["lease_owner"]]
        assert held, "it has nothing to hand back"
        leaving.ask_to_stop()
        took = timed(
            lambda: all(f":{leaving.pid}:" not in row["lease_owner"] for row in drills.operations(ids)),
            "it did not hand back",
        )
    assert STOP_GRACE_SECONDS * 0.8 < took < STOP_GRACE_SECONDS + AT_ONCE_SECONDS
    assert all_is_well(drills, ledger, ids) <= len(held)
    assert [event for each in ids for event in drills.events(each) if event["level"] != "info"] == []
    assert stopped(leaving) == 0
    log = leaving.log.read_text()
    assert "worker stops" in log
    assert "the grace time is over" in log
    assert "worker stopped" in log
    figure(f"SIGTERM with {len(held)} steps that hang, grace {STOP_GRACE_SECONDS} s: handed back after (s)", took)


def test_a_worker_told_to_stop_in_the_middle_of_many_operations_loses_and_repeats_none(
    drills: System, ledger: Ledger, figure: Figure
) -> None:
    with ledger.holding():
        ids = drills.create_many(40, LEDGER_HOST, "amid")
        until(lambda: len(ledger.held) >= 12, "they did not come to their first call")
        leaving = drills.workers[0]
        leaving.ask_to_stop()
    begun = time.monotonic()
    assert stopped(leaving) == 0
    figure("SIGTERM with steps that end soon: worker gone after (s)", time.monotonic() - begun)
    assert "worker stopped" in leaving.log.read_text()
    assert all_is_well(drills, ledger, ids) == 0
    assert [event for each in ids for event in drills.events(each) if event["level"] != "info"] == []


def test_web_server_probes_and_beat_stop_by_themselves_and_say_so(drills: System) -> None:
    for name, words in (("web", "Shutting down"), ("probes", "worker stopped"), ("beat", "beat stopped")):
        process = drills.processes.process(name)
        process.ask_to_stop()
        assert stopped(process) == 0, process.last_words()
        assert words in process.log.read_text(), process.last_words()
    drills.restart_rest()
