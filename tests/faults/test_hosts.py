"""Hosts that misbehave for some seconds while a virtual cluster is made there: it is made all the same, once.

Each fault has a host of its own, the same local one behind Toxiproxy or behind a gate; those of a round go on at the
same time. Each strikes twice: when the work begins, and in the middle of helm's. The second round runs in soaks only.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from localkube import LocalHost, Tools
from tests.commands import Kubectl
from tests.faults.gate import Fault, Faults, Gate
from tests.faults.hosts import Way, connect_all, nothing_doubled, on_host, through_gate, through_proxy
from tests.faults.system import ENDED, Row, System
from tests.faults.toxiproxy import Proxy, Toxiproxy
from tests.faults.waiting import until

RETRY_AFTER = 2
SLOW_STEPS = 2
"""So many steps are done while every answer takes 2 s; helm alone would take minutes."""
FAULTS = Faults(retry_after=RETRY_AFTER)

OF_THE_WAY: Mapping[str, Callable[[Proxy], None]] = {
    "refused": Proxy.refuse,
    "silent": Proxy.silence,
    "slow": lambda proxy: proxy.delay(2000),
    "reset": Proxy.reset,
    "cut": lambda proxy: proxy.cut(5000),
}
OF_ANSWERS: Mapping[str, Fault] = {
    "server-errors": FAULTS.server_errors,
    "conflicts": FAULTS.conflicts,
    "too-many": FAULTS.too_many,
    "reset-in-the-body": FAULTS.reset_in_the_body,
    "cut-in-the-body": FAULTS.cut_in_the_body,
}
ROUNDS = (
    ("refused", "silent", "slow", "server-errors", "conflicts", "too-many", "reset-in-the-body"),
    ("reset", "cut", "cut-in-the-body"),
)
SOAK = os.environ.get("MARINA_SOAK")


@dataclass(frozen=True)
class Outcome:
    """How one creation went."""

    operation: Row
    events: list[Row]
    strikes: int
    """How often the fault was felt: 1, or 2 where helm met it too."""
    seconds_after: float
    """From the last healing to the end."""


class Harm:
    """One fault, on and off."""

    def __init__(self, name: str, begin: Callable[[], None], heal: Callable[[], None]) -> None:
        self.name, self.begin, self.heal = name, begin, heal

    def during_a_creation(self, system: System) -> Outcome:
        """Strikes, is felt, is healed; then again while helm is at work."""
        self.begin()
        operation = system.create(f"despite-{self.name}", self.name)
        until(lambda: self._felt(system, operation, 0), f"{self.name} was not felt")
        self.heal()
        noted = len(system.events(operation))
        until(lambda: self._at(system, operation, "install-release"), f"{self.name}: it did not go on")
        self.begin()
        until(lambda: self._felt(system, operation, noted), f"{self.name} was not felt again")
        again = self._noted(system, operation) > noted
        self.heal()
        healed = time.monotonic()
        (row,) = system.ended([operation], seconds=120)
        return Outcome(row, system.events(operation), 1 + again, time.monotonic() - healed)

    def _felt(self, system: System, operation: str, noted: int) -> bool:
        """It has an attempt, waits for its host, or got as far as it has to; or is through."""
        row = system.operation(operation)
        slow = self.name == "slow" and (row["step"] > SLOW_STEPS or self._noted(system, operation) > 0)
        return self._noted(system, operation) > noted or slow or row["state"] in ENDED

    @staticmethod
    def _noted(system: System, operation: str) -> int:
        return len(system.events(operation)) + (system.operation(operation)["waiting_host_id"] is not None)

    @staticmethod
    def _at(system: System, operation: str, key: str) -> bool:
        row = system.operation(operation)
        return row["state"] in ENDED or (row["step"] < len(row["steps"]) and row["steps"][row["step"]]["key"] == key)


@pytest.fixture(scope="module")
def kubectl(local_hosts: Mapping[str, LocalHost], tools: Tools) -> Kubectl:
    return Kubectl(tools.kubectl, local_hosts["harbor-east"].kubeconfig)


@pytest.fixture(scope="module")
def gates() -> dict[str, Gate]:
    return {}


@pytest.fixture(scope="module")
def outcomes(
    harbor: System,
    toxiproxy: Toxiproxy,
    local_hosts: Mapping[str, LocalHost],
    run_folder: Path,
    gates: dict[str, Gate],
    kubectl: Kubectl,
) -> Iterator[dict[str, Outcome]]:
    """All faults at the same time, in two rounds: ten virtual clusters at once are too many for a small machine."""
    host, found = local_hosts["harbor-east"], dict[str, Outcome]()
    for names in ROUNDS[: None if SOAK else 1]:
        harms: list[Harm] = []
        ways: list[Way] = []
        for name in names:
            if name in OF_THE_WAY:
                way, proxy = through_proxy(toxiproxy, host, name)
                harms.append(Harm(name, partial(OF_THE_WAY[name], proxy), proxy.heal))
            else:
                way, gate = through_gate(host, name, run_folder / "faults" / "gates", f"token-of-{name}")
                gates[name] = gate
                harms.append(Harm(name, partial(gate.spoil, OF_ANSWERS[name]), gate.heal))
            ways.append(way)
        connect_all(harbor, ways)
        with ThreadPoolExecutor(len(harms)) as pool:
            done = pool.map(lambda each: each.during_a_creation(harbor), harms)
            found |= {harm.name: outcome for harm, outcome in zip(harms, done, strict=True)}
        for harm in harms:
            nothing_doubled(kubectl, str(found[harm.name].operation["virtual_cluster_id"]))
        _delete_all(harbor, kubectl, [f"despite-{harm.name}" for harm in harms])
    yield found
    for gate in gates.values():
        gate.close()


def _delete_all(harbor: System, kubectl: Kubectl, names: list[str]) -> None:
    ids = [harbor.developer.cluster(name)["id"] for name in names]
    for operation in [harbor.developer.delete(name) for name in names]:
        harbor.developer.ended(operation, seconds=120)
    assert [on_host(kubectl, each).namespaces for each in ids] == [0] * len(ids)


@pytest.mark.localkube
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", [*ROUNDS[0], *(pytest.param(name, marks=pytest.mark.soak) for name in ROUNDS[1])])
def test_a_fault_of_some_seconds_delays_a_creation_and_doubles_nothing(
    outcomes: dict[str, Outcome], fault: str, figure: Callable[[str, object], None]
) -> None:
    outcome = outcomes[fault]
    row = outcome.operation
    assert (row["state"], row["error_code"], row["attempt"]) == ("Succeeded", "", 0), row
    times = [event["time"] for event in outcome.events]
    assert times == sorted(times)
    assert fault == "slow" or outcome.events, "nobody was told"
    figure(
        f"{fault}: felt {outcome.strikes} times, {len(outcome.events)} events; ended after healing (s)",
        outcome.seconds_after,
    )


@pytest.mark.localkube
def test_a_host_that_asks_for_time_is_given_it(outcomes: dict[str, Outcome], gates: dict[str, Gate]) -> None:
    assert outcomes["too-many"].strikes == 2
    seen = [
        seen for seen in gates["too-many"].seen("/namespaces/marina-despite-too-many") if "marina" in seen.request.agent
    ]
    turned_away = [number for number, each in enumerate(seen) if each.hit]
    assert turned_away, "no request of the operation was turned away"
    gaps = [seen[number + 1].at - seen[number].at for number in turned_away if number + 1 < len(seen)]
    assert min(gaps) >= RETRY_AFTER * 0.95
