"""A database that goes away and comes back: nobody has to restart anything, and nothing is lost or done twice."""

import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import LEDGER_HOST
from tests.faults.counting import all_is_well
from tests.faults.ledger import Ledger
from tests.faults.system import System, timed
from tests.faults.test_broker import AT_WORK, ended_of, ready
from tests.faults.waiting import until

CUT_ALL = """
SELECT count(pg_terminate_backend(pid)) AS cut FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
Figure = Callable[[str, object], None]


def test_a_database_that_crashes_under_fifty_operations_loses_none_of_them(
    drills: System, ledger: Ledger, figure: Figure
) -> None:
    processes = [worker.pid for worker in drills.workers]
    with ledger.holding():
        ids = drills.create_many(50, LEDGER_HOST, "crash")
        until(lambda: len(ledger.held) >= AT_WORK, "they did not come to their first call")
        drills.servers.postgres_stop()
    until(lambda: "does not answer" in drills.stack.readiness().get("database", ""), "/readyz did not tell")
    drills.servers.postgres_start()
    begun = time.monotonic()
    figure("database back: ready after (s)", timed(lambda: ready(drills), "it did not get ready"))
    repeated = all_is_well(drills, ledger, ids)
    assert repeated <= AT_WORK, "no more than what was at work"
    figure(f"database crashed with {AT_WORK} of 50 at work: all ended after (s)", time.monotonic() - begun)
    figure("effects repeated with the same result", repeated)
    assert [worker.pid for worker in drills.workers] == processes
    assert drills.create("after-the-crash", LEDGER_HOST)


def test_connections_that_are_cut_again_and_again_are_made_anew(drills: System, ledger: Ledger, figure: Figure) -> None:
    processes = [worker.pid for worker in drills.workers]
    with ledger.holding():
        ids = drills.create_many(50, LEDGER_HOST, "cut")
    cut, begun = 0, time.monotonic()
    for wanted in (0, 2, 10, 20):
        until(lambda wanted=wanted: ended_of(drills, ids) >= wanted, "they did not go on")  # type: ignore[misc]
        cut += drills.ask(CUT_ALL)[0]["cut"]
        assert drills.developer.list("/virtual-clusters"), "the web server's connection was not made anew"
    assert cut > 10
    repeated = all_is_well(drills, ledger, ids)
    figure(f"{cut} connections cut in 4 rounds: all 50 ended after (s)", time.monotonic() - begun)
    figure("effects repeated with the same result", repeated)
    assert [worker.pid for worker in drills.workers] == processes


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_database_that_crashes_again_and_again_loses_nothing(drills: System, ledger: Ledger, figure: Figure) -> None:
    for number in range(10):
        ids = drills.create_many(50, LEDGER_HOST, f"crashes-{number}")
        drills.servers.postgres_stop()
        drills.servers.postgres_start()
        all_is_well(drills, ledger, ids)
    figure("database crashed 10 times with 50 at work", "all ended")
