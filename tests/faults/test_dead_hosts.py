"""One host is silent: its operations wait without a worker, and nobody else notices."""

import time
from collections.abc import Callable, Iterator
from statistics import median

import pytest

from tests.faults.conftest import LEDGER_HOST, ledger_host_make
from tests.faults.counting import all_is_well
from tests.faults.ledger import Ledger
from tests.faults.system import Row, System
from tests.faults.toxiproxy import Proxy, Toxiproxy
from tests.faults.waiting import until

SILENT_HOST = "silent"
FOR_THE_SILENT_ONE = 30
"""More than the twenty threads of both workers."""
FOR_THE_OTHER = 20
AT_ONCE = 8
"""As hosts have it: so many threads are held up until its silence is known, and no more."""
Figure = Callable[[str, object], None]


@pytest.fixture(scope="module")
def way(drill_system: System, ledger: Ledger, toxiproxy: Toxiproxy) -> Proxy:
    """To the ledger, as a host of its own."""
    proxy = toxiproxy.proxy(SILENT_HOST, ledger.server)
    ledger_host_make(drill_system, ledger, name=SILENT_HOST, server=proxy.server, concurrency=AT_ONCE)
    return proxy


@pytest.fixture
def silence(way: Proxy) -> Iterator[Proxy]:
    way.silence()
    yield way
    way.heal()


def breaker_of(drills: System) -> str:
    return str(drills.ask("SELECT breaker FROM clusters_hostcluster WHERE name = %s", SILENT_HOST)[0]["breaker"])


def seconds_of(rows: list[Row]) -> list[float]:
    """From asked for to done, each."""
    return sorted((row["finished_at"] - row["created_at"]).total_seconds() for row in rows)


def test_operations_of_a_silent_host_wait_without_a_worker_and_those_of_others_are_not_delayed(
    drills: System, ledger: Ledger, silence: Proxy, figure: Figure
) -> None:
    waiting = drills.create_many(FOR_THE_SILENT_ONE, SILENT_HOST, "dead")
    others = drills.create_many(FOR_THE_OTHER, LEDGER_HOST, "alive-while-dead")
    all_is_well(drills, ledger, others, seconds=30)
    with_silence = seconds_of(drills.operations(others))
    begun = time.monotonic()
    until(lambda: all(row["waiting_host_id"] for row in drills.operations(waiting)), "they do not wait for their host")
    figure("all 30 wait for the silent host after another (s)", time.monotonic() - begun)
    rows = drills.operations(waiting)
    assert {row["attempt"] for row in rows} == {0}, [drills.events(row["id"]) for row in rows if row["attempt"]]
    assert {row["lease_expires_at"] for row in rows} == {None}
    assert {row["lease_owner"] for row in rows} == {""}
    assert all(SILENT_HOST in row["message"] for row in rows), rows[0]["message"]
    assert breaker_of(drills) == "open"
    assert drills.ask("SELECT 1 FROM clusters_hostslot WHERE operation_id = ANY(%s::uuid[])", waiting) == []

    again = drills.create_many(FOR_THE_OTHER, LEDGER_HOST, "alive-later")
    all_is_well(drills, ledger, again, seconds=30)
    later = seconds_of(drills.operations(again))
    silence.heal()
    healed = time.monotonic()
    assert all_is_well(drills, ledger, waiting, seconds=60) == 0
    figure("host back: its 30 ended after (s)", time.monotonic() - healed)
    assert {row["attempt"] for row in drills.operations(waiting)} == {0}
    until(lambda: breaker_of(drills) == "closed", "the breaker did not close")
    undisturbed = drills.create_many(FOR_THE_OTHER, LEDGER_HOST, "alive-without")
    all_is_well(drills, ledger, undisturbed, seconds=30)
    without = seconds_of(drills.operations(undisturbed))
    for what, seconds in (("at its beginning", with_silence), ("breaker open", later), ("none silent", without)):
        figure(f"20 operations of the other host, {what}: median and slowest (s)", _told(seconds))
    assert later[-1] < 3 * without[-1] + 2, "they were delayed"


def _told(seconds: list[float]) -> str:
    return f"{median(seconds):.1f} {seconds[-1]:.1f}"


def test_an_operation_that_waits_for_its_host_can_be_aborted(drills: System, silence: Proxy) -> None:
    until(lambda: breaker_of(drills) == "open", "the probes did not find out")
    operation = drills.create("given-up", SILENT_HOST)
    until(lambda: drills.operation(operation)["waiting_host_id"], "it does not wait for its host")
    drills.developer("POST", f"/operations/{operation}/abort", status=202)
    (row,) = drills.ended([operation], seconds=20)
    assert row["state"] == "Aborted"
