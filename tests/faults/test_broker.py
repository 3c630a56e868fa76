"""The row is the truth and the message a wake-up: whatever becomes of messages, every operation ends."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.conftest import LEDGER_HOST
from tests.faults.counting import all_is_well
from tests.faults.ledger import Ledger
from tests.faults.system import System, freeze, thaw, timed
from tests.faults.waiting import until

MANY = 100
AT_WORK = 20
"""Two workers of ten threads."""
QUICKLY_SECONDS = 3.0
"""For an answer of the API while the broker is away; on a quiet machine it takes a tenth of this."""
Figure = Callable[[str, object], None]


@contextmanager
def workers_frozen(system: System) -> Iterator[None]:
    """So that messages stay in the queue."""
    for worker in system.workers:
        freeze(worker)
    yield
    for worker in system.workers:
        thaw(worker)


def ended_of(system: System, ids: list[str]) -> int:
    return sum(row["state"] == "Succeeded" for row in system.operations(ids))


def test_messages_that_are_lost_doubled_or_late_do_no_harm(drills: System, ledger: Ledger, figure: Figure) -> None:
    with workers_frozen(drills):
        ids = drills.create_many(30, LEDGER_HOST, "mail")
        messages = drills.broker.take()
        assert len(messages) >= 26, "a frozen worker can have taken one or two, no more"
        lost, doubled, late = messages[:9], messages[9:18], messages[18:]
        drills.broker.put([*doubled, *doubled])
    begun = time.monotonic()
    assert all_is_well(drills, ledger, ids) == 0
    figure("9 messages lost, 9 doubled, 9 or more late: all 30 ended after (s)", time.monotonic() - begun)
    before = drills.everything(ids)
    drills.broker.put([*late, *late])
    drills.broker.drained()
    assert all_is_well(drills, ledger, [drills.create("after-the-late-ones", LEDGER_HOST)]) == 0
    assert all_is_well(drills, ledger, ids) == 0
    assert drills.everything(ids) == before
    assert lost


def test_a_flush_of_the_broker_in_the_middle_of_a_hundred_operations_loses_none(
    drills: System, ledger: Ledger, figure: Figure
) -> None:
    with ledger.holding():
        ids = drills.create_many(MANY, LEDGER_HOST, "flushed")
        until(lambda: len(ledger.held) >= AT_WORK, "they did not come to their first call")
        drills.broker.flush()
    begun = time.monotonic()
    assert all_is_well(drills, ledger, ids) == 0
    figure(f"FLUSHALL with {AT_WORK} of {MANY} at work: all ended after (s)", time.monotonic() - begun)


def test_a_broker_that_is_killed_and_started_again_loses_no_operation(
    drills: System, ledger: Ledger, figure: Figure
) -> None:
    with ledger.holding():
        ids = drills.create_many(40, LEDGER_HOST, "killed")
        until(lambda: len(ledger.held) >= AT_WORK, "they did not come to their first call")
        drills.servers.valkey_stop()
    drills.servers.valkey_start()
    begun = time.monotonic()
    assert all_is_well(drills, ledger, ids) == 0
    figure(f"broker killed with {AT_WORK} of 40 at work: all ended after (s)", time.monotonic() - begun)


def test_while_the_broker_is_away_clusters_are_accepted_quickly_and_made_when_it_is_back(
    drills: System, ledger: Ledger, figure: Figure
) -> None:
    drills.servers.valkey_stop()
    slowest, ids = 0.0, []
    for number in range(8):
        begun = time.monotonic()
        ids.append(drills.create(f"away-{number}", LEDGER_HOST))
        slowest = max(slowest, time.monotonic() - begun)
    assert "does not answer" in drills.stack.readiness()["broker"]
    drills.servers.valkey_start()
    begun = time.monotonic()
    assert slowest < QUICKLY_SECONDS
    assert all_is_well(drills, ledger, ids) == 0
    figure("broker away: slowest 202 (s)", slowest)
    figure("broker back: all 8 ended after (s)", time.monotonic() - begun)
    figure("broker back: ready again after (s)", timed(lambda: ready(drills), "it did not get ready"))


def ready(system: System) -> bool:
    return set(system.stack.readiness().values()) == {"ok"}


def test_messages_that_a_killed_worker_had_taken_are_sent_again(drills: System, ledger: Ledger, figure: Figure) -> None:
    with ledger.holding():
        ids = drills.create_many(30, LEDGER_HOST, "taken")
        until(lambda: len(ledger.held) >= AT_WORK, "they did not come to their first call")
        killed = drills.workers[0]
        held = sum(row["lease_owner"].split(":")[1:2] == [str(killed.pid)] for row in drills.operations(ids))
        os.kill(killed.pid, signal.SIGKILL)
    begun = time.monotonic()
    repeated = all_is_well(drills, ledger, ids)
    assert repeated <= held
    figure(f"worker killed with {held} at work and more taken: all 30 ended after (s)", time.monotonic() - begun)
    assert len(drills.workers) == 1, "the other one went on without a restart"


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_broker_that_comes_and_goes_delays_and_loses_nothing(drills: System, ledger: Ledger, figure: Figure) -> None:
    for number in range(10):
        ids = drills.create_many(50, LEDGER_HOST, f"soak-{number}")
        drills.servers.valkey_stop() if number % 2 else drills.broker.flush()
        if number % 2:
            drills.servers.valkey_start()
        assert all_is_well(drills, ledger, ids) == 0
    figure("broker killed and flushed 5 times each with 50 at work", "all ended")
