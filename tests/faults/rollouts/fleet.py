"""Clusters on hosts that answer, and operations on them that are worked on side by side in the test's own process."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.services.audit import Actor
from clusters.models import HostCluster, Operation, OperationKind, OperationState
from clusters.services.virtual_clusters import VirtualClusterSpec, virtual_cluster_create
from dev.waiting import wait_until
from provisioning.engine.runner import Runner
from tests.accounts.conftest import World
from tests.e2e.in_process import runner_here

OLD, NEW = "1.35.4", "1.36.3"
LABELS = {"rollout": "many"}


@dataclass
class Fleet:
    """`helms`: by the first part of a cluster's name, the program for its host: settings know one, so it is set."""

    world: World
    settings: Any
    helms: Mapping[str, Path]
    runner: Runner = field(default_factory=runner_here)

    @property
    def actor(self) -> Actor:
        """The admin of the organization."""
        return Actor(user=self.world.olivia)

    def create(self, names: Iterable[str], host: HostCluster) -> list[Operation]:
        """Asked for, with the older Kubernetes."""
        return [self._create(name, host) for name in names]

    def _create(self, name: str, host: HostCluster) -> Operation:
        return virtual_cluster_create(
            project=self.world.payments,
            name=name,
            spec=VirtualClusterSpec(kubernetes_version=OLD),
            labels=LABELS,
            actor=self.actor,
            now=timezone.now(),
            host=host,
        ).operation

    def step(self) -> None:
        """Works once on all that is due; what has to wait is left for the next time."""
        due = Operation.objects.filter(finished_at=None).exclude(run_after__gt=timezone.now())
        for key, name in due.order_by("pk").values_list("pk", "virtual_cluster__name"):
            self.settings.HELM_BINARY = str(self.helms[str(name).partition("-")[0]])
            self.runner.run(key)

    def finish(self, operations: Sequence[Operation], *, seconds: float) -> None:
        """All of them; each must succeed."""
        rows = Operation.objects.filter(pk__in=[each.pk for each in operations])

        def ended() -> bool:
            self.step()
            return not rows.filter(finished_at=None).exists()

        wait_until(ended, seconds=seconds, what="the operations did not end")
        failed = rows.exclude(state=OperationState.SUCCEEDED).values_list("virtual_cluster__name", "message")
        assert not list(failed)


def upgrades_by_cluster() -> dict[str, int]:
    """How many upgrades each was given."""
    found: dict[str, int] = {}
    for name in Operation.objects.filter(kind=OperationKind.UPGRADE).values_list("virtual_cluster__name", flat=True):
        found[str(name)] = found.get(str(name), 0) + 1
    return found
