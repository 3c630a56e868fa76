"""One rollout over 200 clusters, 190 on fake hosts and ten on a real API server, each really upgraded by the engine.

Every run has a smaller one of 19 and one; the whole is the soak's (MARINA_SOAK=1).
"""

import resource
import time
from collections import Counter
from collections.abc import Callable

import pytest
from django.utils import timezone

from clusters.models import Rollout, RolloutMember, VirtualCluster, VirtualClusterPhase
from clusters.services.rollout_advancing import rollouts_advance
from clusters.services.rollouts import RolloutOrder, rollout_create
from tests.faults.rollouts.conftest import Hosts
from tests.faults.rollouts.fleet import LABELS, NEW, OLD, upgrades_by_cluster

SIZES = [
    pytest.param(19, 1, 5, id="20"),
    pytest.param(190, 10, 25, id="200", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
]
WAVES = ("1", "10%", "50%", "100%")


def processor_seconds() -> float:
    """Of this process and of each helm that it ran."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def made(hosts: Hosts, fake: int, real: int) -> None:
    """The canary is a real one."""
    work = hosts.fleet.create([f"real-{number:03}" for number in range(real)], hosts.real)
    for number in range(fake):
        work += hosts.fleet.create([f"fake-{number:03}"], hosts.fakes[number % len(hosts.fakes)])
    hosts.fleet.finish(work, seconds=2400)


def driven(rollout: Rollout, hosts: Hosts, parallel: int) -> int:
    """Until it has ended; the most that were at work at once."""
    most, deadline = 0, time.monotonic() + 2400
    while not Rollout.objects.get(pk=rollout.pk).ended:
        assert time.monotonic() < deadline, "the rollout does not end"
        rollouts_advance(now=timezone.now())
        running = RolloutMember.objects.filter(state="Running").count()
        assert running <= parallel
        most = max(most, running)
        hosts.fleet.step()
    return most


@pytest.mark.localkube
@pytest.mark.parametrize(("fake", "real", "parallel"), SIZES)
def test_one_rollout_upgrades_all_canary_first_each_once_and_none_more_at_once_than_may(
    hosts: Hosts, fake: int, real: int, parallel: int, tell: Callable[[str], None]
) -> None:
    total, before = fake + real, processor_seconds()
    made(hosts, fake, real)
    created = processor_seconds() - before
    order = RolloutOrder(
        name="many",
        action="upgrade",
        project=hosts.fleet.world.payments,
        labels=LABELS,
        on_version=OLD,
        kubernetes_version=NEW,
        waves=WAVES,
        max_parallel=parallel,
    )
    rollout = rollout_create(order=order, actor=hosts.fleet.actor, now=timezone.now())
    assert driven(rollout, hosts, parallel) == min(parallel, total)
    used = processor_seconds() - before - created
    tell(f"a rollout of {total}, {real} of them real: {used:.1f} s of processor time; {created:.1f} s to make them")
    assert Rollout.objects.get(pk=rollout.pk).message == f"It has ended: {total} succeeded."
    assert set(upgrades_by_cluster().values()) == {1}
    assert len(upgrades_by_cluster()) == total
    assert VirtualCluster.objects.filter(kubernetes_version=NEW, phase=VirtualClusterPhase.READY).count() == total
    waves_kept(rollout)


def waves_kept(rollout: Rollout) -> None:
    """None began before all of the waves before it had ended."""
    members = list(rollout.members.order_by("position"))
    sizes = Counter(each.wave for each in members)
    assert sizes[0] == 1
    assert len(sizes) == len(WAVES)
    for wave in range(1, len(WAVES)):
        ended = max(each.finished_at for each in members if each.wave < wave and each.finished_at)
        assert all(each.started_at and each.started_at >= ended for each in members if each.wave == wave)
