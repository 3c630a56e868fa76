"""Runs small flows of test steps by the real engine, on the real database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from clusters.models import Operation, OperationKind, VirtualCluster
from clusters.services.operations import Started, operation_start
from provisioning.drivers.clients import Clients
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Flow, Step, StepResult
from provisioning.engine.lease import LeaseKeeper
from provisioning.engine.runner import Runner
from tests.accounts.conftest import MARINA, World, world_make
from tests.clusters.making import cluster_row

T = TypeVar("T")


@dataclass
class Engine:
    """A worker's parts without Celery. `ran` names the steps in the order in which they were begun."""

    cluster: VirtualCluster
    ran: list[str] = field(default_factory=list)
    notified: list[datetime] = field(default_factory=list)
    flows: dict[OperationKind, Flow] = field(default_factory=dict)
    stopping: bool = False
    keeper: LeaseKeeper = field(default_factory=lambda: LeaseKeeper(every=60))
    random: Random = field(default_factory=lambda: Random(7))
    clock: Callable[[], datetime] = timezone.now

    def runner(self, owner: str = "tests") -> Runner:
        return Runner(
            flows=self.flows,
            clients=Clients(),
            keeper=self.keeper,
            owner=owner,
            clock=lambda: self.clock(),
            random=self.random,
            notify=self.notified.append,
            stopping=lambda: self.stopping,
        )

    def flow(self, *steps: Step, kind: OperationKind = OperationKind.PROVISION, **hooks: Any) -> None:
        """What this kind does from now on."""
        self.flows[kind] = Flow(kind=kind, steps=steps, **hooks)

    def step(self, key: str, does: Callable[[StepContext], StepResult] = lambda context: None, **fields: Any) -> Step:
        """A step that notes that it ran. Its sentence is made of its key."""

        def run(context: StepContext) -> StepResult:
            self.ran.append(key)
            return does(context)

        return Step(key=key, name=f"Do {key}", run=run, **fields)

    def start(self, kind: OperationKind = OperationKind.PROVISION) -> Operation:
        return started(self.cluster, kind).operation

    def run(self, operation: Operation) -> Operation:
        """One claim's work; the row afterwards."""
        self.runner().run(operation.pk)
        return fresh(operation)

    def run_now(self, operation: Operation) -> Operation:
        """As if its time had come."""
        Operation.objects.filter(pk=operation.pk).update(run_after=None)
        return self.run(operation)


def started(cluster: VirtualCluster, kind: OperationKind = OperationKind.PROVISION) -> Started:
    """Asked for in a transaction of its own, as every service does it."""
    with transaction.atomic():
        return operation_start(kind=kind, subject=cluster, actor=MARINA, now=timezone.now())


def fresh(operation: Operation | UUID) -> Operation:
    """The row as the database has it."""
    return Operation.objects.get(pk=operation if isinstance(operation, UUID) else operation.pk)


def events(operation: Operation) -> list[tuple[str, str, str]]:
    return list(operation.events.values_list("step", "level", "text"))


def somebody_waits_for_a_lock() -> bool:
    """Another connection to this database, with its transaction open."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def at_once(count: int, do: Callable[[int], T]) -> list[T]:
    """Calls `do` in that many threads that begin together, each with a database connection of its own."""
    barrier = Barrier(count)

    def run(number: int) -> T:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=20)
            return do(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.fixture
def world(db) -> World:
    """Committed where the test is marked `transaction=True`, for threads with connections of their own."""
    return world_make()


@pytest.fixture
def engine(world) -> Engine:
    """Wake-ups go to the run's own broker, where nobody listens: tests say what is run and when."""
    return Engine(cluster=cluster_row(world))
