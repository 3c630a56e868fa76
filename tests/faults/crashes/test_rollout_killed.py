"""A rollout whose every process is killed again and again: what advances it, and who works on its clusters.

What advances it is killed before its first database statement, then before its second, and so on, until a round gets
through; then from the first on again. Its clusters' operations go on in between, and lose their workers at places that
are drawn by the commit.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
from django.utils import timezone

from clusters.models import Operation, OperationKind, Rollout, RolloutMember, VirtualCluster
from clusters.services.rollouts import RolloutOrder, rollout_create
from provisioning.failpoints import VARIABLE
from tests.faults.crashes.matrix import SEED, Stages
from tests.faults.crashes.stage import Stage

CLUSTERS, AT_ONCE, WAVES = 6, 2, ("1", "50%", "100%")
OLD, NEW = "1.35.4", "1.36.3"
LABELS = {"rollout": "killed"}
KILLED = -9
KILLS_A_WORKER = 2
"""So often a cluster's operation loses its worker; then one is left alone."""
PLACES = (
    *(f"{when}:kill:{number}" for when in ("step.before", "step.after") for number in range(1, 6)),
    "upgrade.hop:kill",
)


@dataclass
class Killed:
    """One rollout on its way."""

    stage: Stage
    rollout: Rollout
    random: Random = field(default_factory=lambda: Random(SEED))
    rounds: int = 0
    workers: Counter[str] = field(default_factory=Counter)
    _before: int = 0

    def drive(self) -> None:
        """Until it has ended."""
        while not Rollout.objects.get(pk=self.rollout.pk).ended:
            self.advance()
            self.check()
            for operation in Operation.objects.filter(kind=OperationKind.UPGRADE, finished_at=None):
                self.work(operation)
            self.check()

    def advance(self) -> None:
        """Begins again with the first statement where a round came through."""
        self._before += 1
        if self.stage.crew.advance_rollouts(kill_before=self._before).ended() == KILLED:
            self.rounds += 1
        else:
            self._before = 0

    def work(self, operation: Operation) -> None:
        """With one worker at a time; it may end before it is killed."""
        key = str(operation.pk)
        left_alone = self.workers[key] >= KILLS_A_WORKER
        place = self.random.choice(PLACES)
        environment = {} if left_alone else {VARIABLE: place}
        code = self.stage.crew.work(operation.pk, seconds=self.stage.seconds, environment=environment).ended()
        assert code in (0, KILLED), f"{code} at {place}"
        self.workers[key] += code == KILLED

    def check(self) -> None:
        """What holds at every moment."""
        members = list(RolloutMember.objects.filter(rollout=self.rollout))
        running = [each for each in members if each.state == "Running"]
        assert len(running) <= AT_ONCE
        begun = {each.wave for each in members if each.state != "Queued"}
        for wave in begun:
            assert all(each.finished_at for each in members if each.wave < wave), "a wave began before its turn"
        upgrades = Operation.objects.filter(kind=OperationKind.UPGRADE).values_list("virtual_cluster", flat=True)
        assert max(Counter(upgrades).values(), default=0) <= 1, "a cluster was begun twice"
        noted = {each.operation_id for each in members if each.operation_id}
        assert set(Operation.objects.filter(kind=OperationKind.UPGRADE).values_list("pk", flat=True)) == noted


@pytest.fixture
def killed(stages: Stages) -> Iterator[Killed]:
    with stages(False) as stage:
        host = stage.host()
        names = [f"{stage.name}-{number}" for number in range(CLUSTERS)]
        for operation in [stage.creation(host, version=OLD, name=name, labels=LABELS) for name in names]:
            stage.finish(operation.pk)
        order = RolloutOrder(
            name="killed",
            action="upgrade",
            project=stage.world.payments,
            labels=LABELS,
            on_version=OLD,
            kubernetes_version=NEW,
            waves=WAVES,
            max_parallel=AT_ONCE,
        )
        yield Killed(stage, rollout_create(order=order, actor=stage.actor, now=timezone.now()))


@pytest.mark.timeout(300)
def test_whoever_is_killed_each_cluster_is_upgraded_once_in_its_wave(
    killed: Killed, tell: Callable[[str], None]
) -> None:
    killed.drive()
    workers = sum(killed.workers.values())
    tell(f"a rollout of {CLUSTERS} under kills: {killed.rounds} of what advances it, {workers} of workers, seed {SEED}")
    assert Rollout.objects.get(pk=killed.rollout.pk).message == f"It has ended: {CLUSTERS} succeeded."
    assert killed.rounds > 20
    assert workers >= CLUSTERS
    versions = VirtualCluster.objects.values_list("kubernetes_version", "phase")
    assert list(versions) == [(NEW, "Ready")] * CLUSTERS
    assert Operation.objects.filter(kind=OperationKind.UPGRADE, state="Succeeded").count() == CLUSTERS
