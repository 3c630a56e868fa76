"""Rollouts on rows, with workers that do what a test says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.errors import MarinaError
from accounts.services.audit import Actor
from clusters.models import (
    HostCluster,
    Operation,
    OperationKind,
    OperationState,
    Rollout,
    RolloutAction,
    RolloutMember,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.rollouts.wish import RolloutWish
from clusters.services import rollout_actions
from clusters.services.operations import operation_start
from clusters.services.rollout_advancing import rollouts_advance
from clusters.services.rollouts import RolloutOrder, rollout_create
from clusters.services.virtual_clusters import ClusterWork
from clusters.upgrade_choices import DIFFERENCES
from tests.accounts.conftest import World
from tests.clusters.making import ready_row

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
NEW, OLD = "1.36.3", "1.35.4"
UNREADY = "Deployment shop/web: 0 ready, and 2 before."


@dataclass
class Fleet:
    """Clusters of acme/payments at 1.35.4, an upgrade that only starts its operation, and a clock."""

    world: World
    host: HostCluster
    now: datetime = NOON
    refuses: dict[str, MarinaError] = field(default_factory=dict)
    """By the cluster's name: what it is refused with."""
    begun: list[str] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)

    def begin(self, *, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, wish: RolloutWish) -> ClusterWork:
        """As the services do: an operation in the caller's transaction."""
        if (error := self.refuses.get(virtual_cluster.name)) is not None:
            raise error
        started = operation_start(
            kind=OperationKind.UPGRADE, subject=virtual_cluster, actor=actor, now=now, params=wish.as_json()
        )
        self.begun.append(virtual_cluster.name)
        self.actors.append(actor)
        return ClusterWork(virtual_cluster, started.operation, created=started.created)

    def make(self, *names: str, **fields: Any) -> list[VirtualCluster]:
        return [ready_row(self.world, self.host, name, **{"kubernetes_version": OLD, **fields}) for name in names]

    def many(self, count: int, **fields: Any) -> list[VirtualCluster]:
        return self.make(*(f"c-{number:03}" for number in range(count)), **fields)

    def rollout(self, *, actor: Actor | None = None, **fields: Any) -> Rollout:
        given = {"name": "spring", "action": "upgrade", "organization": self.world.acme, "kubernetes_version": NEW}
        order = RolloutOrder(**{**given, **fields})
        return rollout_create(order=order, actor=actor or Actor(user=self.world.olivia), now=self.now)

    def tick(self, **later: float) -> list[str]:
        """What a round begins."""
        self.now += timedelta(**later) if later else timedelta(seconds=1)
        before = len(self.begun)
        rollouts_advance(now=self.now)
        return self.begun[before:]

    def work(self, *names: str, fails: tuple[str, ...] = (), differs: tuple[str, ...] = ()) -> None:
        """Workers end these upgrades, or all that are at work; of those that differ a workload is ready no more."""
        rows = Operation.objects.filter(kind=OperationKind.UPGRADE, finished_at=None).select_related("virtual_cluster")
        for operation in rows:
            cluster = operation.virtual_cluster
            assert cluster is not None
            if names and cluster.name not in names:
                continue
            operation.finished_at = self.now
            if cluster.name in fails:
                operation.state, operation.error_message = OperationState.FAILED, "The image is missing."
                operation.error_code = "image"
            else:
                operation.state = OperationState.SUCCEEDED
                operation.params |= {DIFFERENCES: [UNREADY] if cluster.name in differs else []}
                VirtualCluster.objects.filter(pk=cluster.pk).update(kubernetes_version=NEW)
            operation.save()

    def states(self, rollout: Rollout) -> dict[str, str]:
        rows = RolloutMember.objects.filter(rollout=rollout).order_by("position")
        return dict(rows.values_list("virtual_cluster__name", "state"))

    def told(self, rollout: Rollout) -> dict[str, str]:
        rows = RolloutMember.objects.filter(rollout=rollout).order_by("position")
        return dict(rows.values_list("virtual_cluster__name", "message"))

    def phase(self, name: str, phase: VirtualClusterPhase) -> None:
        VirtualCluster.objects.filter(name=name).update(phase=phase)


@pytest.fixture
def fleet(world, host, monkeypatch) -> Fleet:
    made = Fleet(world, host)
    for action in RolloutAction:
        monkeypatch.setitem(rollout_actions._BEGINS, action, made.begin)
    return made


def fresh(rollout: Rollout) -> Rollout:
    return Rollout.objects.get(pk=rollout.pk)


@pytest.fixture
def drive(fleet) -> Callable[[Rollout], int]:
    """Ticks and works until it has ended; how many rounds that took."""

    def run(rollout: Rollout, rounds: int = 500) -> int:
        for number in range(rounds):
            fleet.tick()
            fleet.work()
            if fresh(rollout).ended:
                return number
        raise AssertionError(f"it does not end: {fresh(rollout).state} {fresh(rollout).message}")

    return run
