"""A shop that may move: its cluster on a fake host, and a second one beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.services.audit import Actor
from clusters.models import Exposure, HostCluster, Operation, OperationKind, Placement, PlacementRole, VirtualCluster
from clusters.moving import BACK, TO
from clusters.preflight import CHOICES
from clusters.services.operations import operation_start
from provisioning.drivers.clients import Clients
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.flow import Flow
from provisioning.flows import FLOWS
from tests.chosen import CHOSEN
from tests.e2e.in_process import operation_finish
from tests.fakes.cluster import FakeCluster
from tests.fakes.host import Certificates, FakeHost
from tests.provisioning.conftest import certificates, shop  # noqa: F401
from tests.provisioning.hosts import host_at
from tests.provisioning.shops import Shop, api_groups


@dataclass
class Wanderer:
    """The shop's cluster, and where it may go."""

    shop: Shop
    there: HostCluster
    beyond: FakeHost

    @property
    def cluster(self) -> VirtualCluster:
        return VirtualCluster.objects.get(pk=self.shop.cluster.pk)

    def ask(self, *, back: bool = False, choices: Mapping[str, str] = CHOSEN) -> Operation:
        params: dict[str, Any] = {CHOICES: dict(choices), TO: "" if back else str(self.there.pk), BACK: back}
        with transaction.atomic():
            return operation_start(
                kind=OperationKind.MIGRATE,
                subject=self.cluster,
                actor=Actor(user=self.shop.world.olivia),
                now=timezone.now(),
                params=params,
            ).operation

    def move(self, *, back: bool = False, flow: Flow | None = None, choices: Mapping[str, str] = CHOSEN) -> Operation:
        """Worked on until it has ended."""
        flows = {**FLOWS, **({OperationKind.MIGRATE: flow} if flow else {})}
        return operation_finish(self.ask(back=back, choices=choices), flows=flows)

    def tidy(self) -> None:
        """Works on the removal of what is of no use any more."""
        for removal in Operation.objects.filter(kind=OperationKind.REMOVE_PLACEMENT, finished_at=None):
            assert operation_finish(removal).state == "Succeeded"

    def placements(self) -> dict[str, str]:
        """Hosts by role."""
        found = Placement.objects.filter(virtual_cluster=self.shop.cluster).select_related("host")
        return {placement.role: placement.host.name for placement in found}

    def copy_of(self, context: StepContext) -> FakeCluster:
        """What is being made of it at `beyond`, while it moves there."""
        placement = context.on_target().placement
        copy = self.beyond.virtual(placement.namespace, f"{placement.release}-0")
        assert copy is not None
        return copy

    def inside(self) -> Any:
        placement = Placement.objects.select_related("host__credential").get(
            virtual_cluster=self.shop.cluster, role=PlacementRole.ACTIVE
        )
        return Clients().virtual(placement, lambda: None)

    def host(self, fake: FakeHost) -> KubeClient:
        host = self.there if fake is self.beyond else HostCluster.objects.exclude(pk=self.there.pk).get()
        return Clients().kube(HostCluster.objects.select_related("credential").get(pk=host.pk), lambda: None)


@pytest.fixture
def wanderer(shop: Shop, certificates: Certificates, settings: Any, tmp_path: Path) -> Iterator[Wanderer]:  # noqa: F811
    settings.MOVE_KNOWN_SECONDS = settings.MOVE_GATEWAYS_KNOW_SECONDS = 0.0
    settings.MOVE_REVISIONS_AHEAD = 1
    with FakeHost(certificates) as beyond:
        there = host_at(beyond.connection, "beyond", api_groups=api_groups(beyond), exposure=Exposure.LOCAL)
        yield Wanderer(shop, there, beyond)
