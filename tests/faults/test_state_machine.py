"""Whatever people ask for and whatever fails meanwhile, in any order: what must always hold, holds, and all of it ends.

Hypothesis chooses the order; one that breaks a promise is made as short as it can be. MARINA_SOAK=1 tries far more.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from accounts.errors import MarinaError
from accounts.services.audit import Actor
from clusters.models import Operation, VirtualCluster, VirtualClusterPhase
from clusters.services.configuring import SpecChange, virtual_cluster_configure
from clusters.services.operations import operation_abort, operation_retry
from clusters.services.virtual_clusters import virtual_cluster_delete
from tests.accounts.conftest import World, world_make
from tests.conftest import LOCAL_CHART
from tests.fakes.host import HELM, Certificates
from tests.faults.promises import Promises, all_as_wanted, rows_of
from tests.faults.small_marina import SmallMarina, small_marina

SOAK = bool(os.environ.get("MARINA_SOAK"))
NUMBERS = st.integers(0, 2)
HOSTS = st.integers(0, 1)
ROUNDS_TO_THE_END = 60
"""Of 15 s each: after the last fault everything has ended by then, or it never will."""
MARINA_OPENS: list[Callable[[], Any]] = []
"""How a small Marina is opened: pytest's fixtures do not reach a state machine."""


class Harbors(RuleBasedStateMachine):
    """Up to three clusters on two hosts."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.marina: SmallMarina = self._stack.enter_context(MARINA_OPENS[-1]())
        self.promises = Promises()

    # what people ask for

    @initialize(host=HOSTS)
    def first(self, host: int) -> None:
        self.create(0, host)

    @rule(number=NUMBERS, host=st.none() | HOSTS)
    def create(self, number: int, host: int | None) -> None:
        row = None if host is None else self.marina.harbors[host].row
        self._ask(lambda: self.marina.create(f"ship-{number}", row, foreign=number == 2))

    @rule(number=NUMBERS)
    def delete(self, number: int) -> None:
        self._on(number, lambda ship: virtual_cluster_delete(virtual_cluster=ship, **_by(ship)))

    @rule(number=NUMBERS, size=st.sampled_from((None, "small", "medium", "large")))
    def configure(self, number: int, size: str | None) -> None:
        change = SpecChange(size=size) if size else None
        self._on(number, lambda ship: virtual_cluster_configure(virtual_cluster=ship, change=change, **_by(ship)))

    @rule(number=NUMBERS, newest=st.booleans())
    def abort(self, number: int, newest: bool) -> None:
        def ask(ship: VirtualCluster) -> None:
            found = [each for each in self.marina.unfinished() if each.virtual_cluster_id == ship.pk]
            if found:
                operation_abort(operation=found[-1 if newest else 0], **_by(ship))

        self._on(number, ask)

    @rule(number=NUMBERS)
    def retry(self, number: int) -> None:
        def ask(ship: VirtualCluster) -> None:
            operation = Operation.objects.filter(virtual_cluster=ship).latest("id")
            operation_retry(operation=operation, **_by(ship))
            self.promises.goes_on(operation.pk)

        self._on(number, ask)

    def _on(self, number: int, ask: Callable[[VirtualCluster], object]) -> None:
        """The cluster of that number, where there is one."""
        ships = VirtualCluster.objects.filter(name=f"ship-{number}").exclude(phase=VirtualClusterPhase.DELETED)
        for ship in ships:
            self._ask(lambda ship=ship: ask(ship))  # type: ignore[misc]

    @staticmethod
    def _ask(ask: Callable[[], object]) -> None:
        """What is refused writes nothing."""
        before = rows_of(Operation, VirtualCluster)
        try:
            ask()
        except MarinaError:
            assert rows_of(Operation, VirtualCluster) == before

    # what workers do

    @rule(messages=st.integers(1, 6))
    def work(self, messages: int) -> None:
        self.marina.work_for_a_while(seconds=2, messages=messages)

    @rule(passages=st.integers(1, 12))
    def worker_is_killed(self, passages: int) -> None:
        self.marina.tick()
        self.marina.deliver_and_kill(passages)

    @rule()
    def worker_is_told_to_end(self) -> None:
        self.marina.tick()
        self.marina.deliver_while_stopping()

    # what fails

    @rule(number=HOSTS)
    def host_goes_down(self, number: int) -> None:
        self.marina.harbors[number].go_down()

    @rule(number=HOSTS)
    def host_comes_back(self, number: int) -> None:
        self.marina.harbors[number].come_back()

    @rule()
    def hosts_are_probed(self) -> None:
        self.marina.probe()

    @rule()
    def message_is_lost(self) -> None:
        self.marina.lose_message()

    @rule(seconds=st.sampled_from((1, 20, 40)))
    def time_passes(self, seconds: int) -> None:
        self.marina.time_passes(seconds)

    # what must always hold

    @invariant()
    def promises_hold(self) -> None:
        self.promises.look()

    def teardown(self) -> None:
        with self._stack:
            self._to_the_end()
            for ship in self.marina.clusters():
                all_as_wanted(ship, self.marina.harbors)
            for ship in self.marina.clusters():
                virtual_cluster_delete(virtual_cluster=ship, **_by(ship))
            self._to_the_end()
            assert [str(ship) for ship in self.marina.clusters()] == []
            assert [sorted(harbor.left()) for harbor in self.marina.harbors] == [[], []]

    def _to_the_end(self) -> None:
        """Nothing fails any more: everything comes to its end, and everything that must hold still does."""
        for harbor in self.marina.harbors:
            harbor.come_back()
        for _ in range(ROUNDS_TO_THE_END):
            if not self.marina.unfinished():
                break
            self.marina.probe()
            self.marina.work_for_a_while(seconds=15, messages=30)
            self.promises.look()
        left = self.marina.unfinished()
        assert [(each.kind, each.state, each.message) for each in left] == []
        self.promises.all_ended()


def _by(ship: VirtualCluster) -> dict[str, Any]:
    """Its creator asks, now."""
    return {"actor": Actor(user=ship.creator), "now": timezone.now()}


@pytest.fixture
def harbors_opened(transactional_db: None, settings: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    settings.HELM_BINARY, settings.CHART_FOLDER = str(HELM), str(LOCAL_CHART)
    world: World = world_make()
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    MARINA_OPENS.append(lambda: small_marina(world, certificates))
    yield
    MARINA_OPENS.pop()


def _explore(examples: int, steps: int) -> None:
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=not SOAK,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Harbors, settings=how)


def test_in_any_order_of_wishes_and_faults_every_promise_holds(harbors_opened: None) -> None:
    _explore(examples=20, steps=30)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_in_many_more_orders_too(harbors_opened: None) -> None:
    _explore(examples=200, steps=60)
