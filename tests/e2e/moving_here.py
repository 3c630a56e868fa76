"""Moves worked on in the test's own process between two local hosts, so that a test can act in the middle of one."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.services.audit import Actor
from clusters.models import Exposure, HostCluster, Operation, OperationKind, Placement, PlacementRole, VirtualCluster
from clusters.moving import BACK, TO
from clusters.preflight import CHOICES
from clusters.services.operations import operation_start
from clusters.services.virtual_clusters import VirtualClusterSpec, virtual_cluster_create
from dev.waiting import wait_until
from localkube import LocalHost, Tools
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import Json
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Flow, Step, StepResult
from provisioning.flows import FLOWS
from tests.accounts.conftest import World
from tests.chosen import CHOSEN
from tests.conftest import LOCAL_CHART
from tests.e2e.in_process import runner_here
from tests.provisioning.drivers.conftest import connection_of
from tests.provisioning.hosts import host_at


@dataclass
class Scene:
    """Two connected hosts, and a cluster on the first."""

    world: World
    here: HostCluster
    there: HostCluster
    cluster: VirtualCluster

    def placement(self, role: PlacementRole = PlacementRole.ACTIVE) -> Placement:
        placements = Placement.objects.select_related("host__credential")
        return placements.get(virtual_cluster=self.cluster, role=role)

    def inside(self, role: PlacementRole = PlacementRole.ACTIVE) -> AbstractContextManager[KubeClient]:
        """Its API as the syncer, where it is now or in another role."""
        return Clients().virtual(self.placement(role), lambda: None)

    def move(self, *, to: HostCluster | None = None, back: bool = False, flow: Flow | None = None) -> Operation:
        """Worked on until it has ended, whatever it comes to."""
        params = {CHOICES: CHOSEN, TO: str(to.pk) if to else "", BACK: back}
        with transaction.atomic():
            operation = operation_start(
                kind=OperationKind.MIGRATE, subject=self.cluster, actor=self.actor, now=timezone.now(), params=params
            ).operation
        return finished(operation, {**FLOWS, **({OperationKind.MIGRATE: flow} if flow else {})})

    def tidy(self) -> None:
        """What a move that was put back left at the other host is removed."""
        for removal in Operation.objects.filter(kind=OperationKind.REMOVE_PLACEMENT, finished_at=None):
            assert finished(removal).state == "Succeeded"

    @property
    def actor(self) -> Actor:
        return Actor(user=self.world.olivia)


def scene_settings(settings: Any, tools: Tools, folder: Path) -> None:
    """What this process needs to do a worker's work. `folder` is the test's own."""
    settings.HELM_BINARY, settings.CHART_FOLDER = str(tools.helm), str(LOCAL_CHART)
    settings.STATE_FOLDER = folder / "state"
    exports = {"BACKEND": "clusters.exports.folder.ExportFolder", "OPTIONS": {"location": str(folder / "exports")}}
    settings.STORAGES = {**settings.STORAGES, "exports": exports}


def scene_made(
    world: World,
    hosts: Mapping[str, LocalHost],
    name: str,
    *,
    exposure: Exposure = Exposure.LOCAL,
    values: Json | None = None,
) -> Scene:
    """The cluster is Ready. `exposure` and `values`, for vcluster's chart: of both hosts."""
    wanted = {"exposure": exposure, "values": values or {}}
    here, there = (_connected(label, host, wanted) for label, host in list(hosts.items())[:2])
    work = virtual_cluster_create(
        project=world.payments,
        name=name,
        spec=VirtualClusterSpec(kubernetes_version="1.36.3"),
        actor=Actor(user=world.olivia),
        now=timezone.now(),
        host=here,
    )
    assert finished(work.operation).state == "Succeeded"
    cluster = VirtualCluster.objects.select_related("project__organization").get(pk=work.virtual_cluster.pk)
    return Scene(world, here, there, cluster)


def _connected(name: str, host: LocalHost, wanted: Mapping[str, Any]) -> HostCluster:
    connection = connection_of(host.kubeconfig)
    with connection_open(connection, target=name) as api:
        groups = KubeClient(api).api_groups()
    return host_at(connection, name, api_groups=groups, **wanted)


def finished(operation: Operation, flows: Mapping[OperationKind, Flow] = FLOWS) -> Operation:
    """Worked on until it has ended."""
    runner = runner_here(flows)

    def ended() -> bool:
        runner.run(operation.pk)
        operation.refresh_from_db()
        return operation.finished

    wait_until(ended, seconds=180, what=f"{operation} did not end")
    return operation


def with_step(flow: Flow, after: str, key: str, act: Callable[[StepContext], Any]) -> Flow:
    """The same flow, with something that a test does once after one of its steps."""
    done: list[None] = []

    def run(context: StepContext) -> StepResult:
        if not done:
            act(context)
            done.append(None)
        return None

    at = [step.key for step in flow.steps].index(after) + 1
    steps = (*flow.steps[:at], Step(key=key, name="A test acts", run=run), *flow.steps[at:])
    return replace(flow, steps=steps)
