"""One rollout over many clusters, whose upgrades are all really worked on: most on fake hosts, some on a real one.

20 of them each time; MARINA_SOAK=1 has 200, of which 10 are real.
"""

import resource
import select
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from django.utils import timezone

from clusters.kubeconfig import kubeconfig_parse
from clusters.models import HostCluster, Operation, OperationKind, Rollout, VirtualCluster
from clusters.services.rollout_advancing import rollouts_advance
from clusters.services.rollouts import RolloutOrder, rollout_create
from clusters.services.virtual_clusters import VirtualClusterSpec, virtual_cluster_create
from localkube import LocalHost, Tools
from tests.accounts.conftest import World
from tests.fakes.host import HELM, Certificates, FakeHost
from tests.faults.crashes.conftest import HASTE, REAL_SECONDS
from tests.faults.crashes.crew import Crew, Work, crew_started
from tests.faults.crashes.matrix import SOAK
from tests.faults.crashes.stage import Stage, stage_opened

FAKES, EACH, REAL = (10, 19, 10) if SOAK else (1, 19, 1)
"""Fake hosts, clusters on each of them, and clusters on the real host."""
TOTAL: Final = FAKES * EACH + REAL
PARALLEL, SECONDS = 8, 3600.0
OLD, NEW = "1.35.4", "1.36.3"
HELM_OF_BOTH: Final = """#!/bin/sh
# the fake helm for fake hosts, the real one for all others
before=
for each; do
    [ "$before" = --kubeconfig ] && kubeconfig=$each
    before=$each
done
if [ -z "$kubeconfig" ] || grep -qwFf {servers} "$kubeconfig"; then exec {fake} "$@"; fi
exec {real} "$@"
"""


@pytest.fixture
def stages(
    world: World, certificates: Certificates, tools: Tools, real_host: LocalHost, tmp_path: Path
) -> Iterator[Sequence[Stage]]:
    """Of each fake host and, last, of the real one; with workers who use for each the helm that fits."""
    with ExitStack() as until_the_end:
        fakes = [until_the_end.enter_context(FakeHost(certificates)) for _ in range(FAKES)]
        helm = _helm_of_both(tmp_path, fakes, tools)
        leases = {"LEASE_SECONDS": "10", "HEARTBEAT_SECONDS": "1"}  # nobody is killed here
        crew = until_the_end.enter_context(
            crew_started(tmp_path, **{**HASTE, **leases, "HELM_BINARY": str(helm), "STATE_FOLDER": str(tmp_path)})
        )
        real = kubeconfig_parse(real_host.kubeconfig.read_text())
        hosts = [(fake.connection, fake) for fake in fakes]
        yield [
            until_the_end.enter_context(
                stage_opened(world=world, crew=crew, admin=admin, helm=helm, fake=fake, seconds=REAL_SECONDS)
            )
            for admin, fake in (*hosts, (real, None))
        ]


def _helm_of_both(folder: Path, fakes: Sequence[FakeHost], tools: Tools) -> Path:
    servers, script = folder / "fake-servers", folder / "helm"
    servers.write_text("".join(f"{fake.connection.server}\n" for fake in fakes))
    script.write_text(HELM_OF_BOTH.format(servers=servers, fake=HELM, real=tools.helm))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


class Desk:
    """Gives each operation that begins to a worker of its own, and waits for whoever ends first."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._at_work: dict[UUID, Work] = {}

    def begin(self, keys: Sequence[UUID]) -> None:
        for key in keys:
            if key not in self._at_work:
                self._at_work[key] = self._crew.work(key, seconds=SECONDS)

    def look(self) -> None:
        """Waits until one has ended, half a second at most: a rollout goes on by the clock as well."""
        ready, _, _ = select.select([each.connection for each in self._at_work.values()], [], [], 0.5)
        for key in [key for key, each in self._at_work.items() if each.connection in ready]:
            assert self._at_work.pop(key).ended() == 0, self._crew.log.read_text()[-2000:]

    def finish(self, keys: Sequence[UUID]) -> None:
        """As many at once as the rollout has."""
        waiting = list(keys)
        while waiting or self._at_work:
            room = PARALLEL - len(self._at_work)
            self.begin(waiting[:room])
            del waiting[:room]
            self.look()


def _created(stage: Stage, host: HostCluster, name: str) -> UUID:
    return virtual_cluster_create(
        project=stage.world.payments,
        name=name,
        spec=VirtualClusterSpec(kubernetes_version=OLD),
        actor=stage.actor,
        now=timezone.now(),
        host=host,
    ).operation.pk


def _fleet(stages: Sequence[Stage]) -> list[UUID]:
    """The real ones are spread among the others."""
    hosts = [stage.host() for stage in stages]
    at = [(number, EACH) for number in range(FAKES)] + [(FAKES, REAL)]
    made = sorted((turn / count, number) for number, count in at for turn in range(count))
    return [_created(stages[number], hosts[number], f"c-{turn:03}") for turn, (_, number) in enumerate(made)]


def _upgrades(**where: object) -> list[UUID]:
    return list(Operation.objects.filter(kind=OperationKind.UPGRADE, **where).values_list("pk", flat=True))


def _processor_seconds() -> float:
    """Of this process, in which the fake hosts are."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@pytest.mark.timeout(5400)
def test_one_rollout_upgrades_them_all_wave_after_wave(
    stages: Sequence[Stage], world: World, tell: Callable[[str], None]
) -> None:
    began, used = time.monotonic(), _processor_seconds()
    desk = Desk(stages[0].crew)
    desk.finish(_fleet(stages))
    assert set(VirtualCluster.objects.values_list("phase", "kubernetes_version")) == {("Ready", OLD)}
    provisioned = time.monotonic()
    order = RolloutOrder(
        name="spring",
        action="upgrade",
        project=world.payments,
        kubernetes_version=NEW,
        waves=["1", "10%", "50%", "100%"],
        max_parallel=PARALLEL,
    )
    rollout = rollout_create(order=order, actor=stages[0].actor, now=timezone.now())
    most = 0
    while not rollout.ended:
        rollouts_advance(now=timezone.now())
        most = max(most, len(at_work := _upgrades(finished_at=None)))
        desk.begin(at_work)
        desk.look()
        rollout.refresh_from_db()
        assert rollout.state in ("Running", "Succeeded"), rollout.message
    _all_went_well(rollout, most)
    tell(
        f"rollout of {TOTAL} ({REAL} real): made in {provisioned - began:.0f} s, upgraded in "
        f"{time.monotonic() - provisioned:.0f} s; fakes and rollout took {_processor_seconds() - used:.0f} s of the "
        "processor, workers not counted"
    )


def _all_went_well(rollout: Rollout, most: int) -> None:
    assert rollout.state == "Succeeded", rollout.message
    assert 1 < most <= PARALLEL
    members = list(rollout.members.select_related("virtual_cluster", "operation"))
    assert len(members) == TOTAL
    assert {(each.state, each.virtual_cluster.kubernetes_version) for each in members} == {("Succeeded", NEW)}
    assert len(_upgrades()) == TOTAL, "each is upgraded once"
    for before in range(rollout.wave):
        ended = max(each.finished_at for each in members if each.wave == before and each.finished_at)
        assert all(each.started_at and each.started_at >= ended for each in members if each.wave > before)
