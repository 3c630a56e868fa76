"""A host that is lost, and a second one beside it."""

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from accounts.services.audit import Actor
from clusters.models import Breaker, Export, HostCluster, Operation, OperationKind, Placement, VirtualCluster
from clusters.services.lost_hosts import HostLost, host_lost
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.engine.breaker import host_failed
from tests.e2e.in_process import operation_finish
from tests.fakes.host import FakeHost
from tests.provisioning.shops import Shop


@dataclass
class Loss:
    """The shop's host is `east`; `west` can take what was there."""

    shop: Shop
    east: HostCluster
    west: HostCluster
    fake_west: FakeHost

    def goes(self) -> None:
        """Nobody answers there any more, and Marina knows."""
        self.shop.fake.go_down()
        for _ in range(3):
            host_failed(host_id=self.east.pk, why="It is silent.", now=timezone.now())

    def comes_back(self) -> None:
        """It answers again, and what waited for it may go on."""
        self.shop.fake.come_back()
        HostCluster.objects.filter(pk=self.east.pk).update(breaker=Breaker.CLOSED, failures=0)
        Operation.objects.filter(waiting_host=self.east).update(waiting_host=None, run_after=None)

    def said(self, **fields: Any) -> HostLost:
        """By platform staff."""
        actor = Actor(user=self.shop.world.staff)
        return host_lost(host=HostCluster.objects.get(pk=self.east.pk), actor=actor, now=timezone.now(), **fields)

    def recovered(self, **fields: Any) -> Operation:
        """Said, and worked on until that has ended."""
        (operation,) = self.said(**fields).operations
        return operation_finish(operation)

    def quarantine(self) -> Operation:
        return Operation.objects.filter(kind=OperationKind.QUARANTINE).latest("created_at")

    def quarantined(self) -> Operation:
        return operation_finish(self.quarantine())

    @property
    def cluster(self) -> VirtualCluster:
        return VirtualCluster.objects.get(pk=self.shop.cluster.pk)

    def placement(self, role: str = "active") -> Placement:
        return Placement.objects.select_related("host__credential").get(virtual_cluster=self.shop.cluster, role=role)

    def roles(self) -> dict[str, str]:
        """By host."""
        rows = Placement.objects.filter(virtual_cluster=self.shop.cluster)
        return dict(rows.values_list("host__name", "role"))

    def inside(self, kind: Kind, name: str, namespace: str | None = None) -> Json | None:
        """An object in the cluster, where it runs now."""
        with Clients().virtual(self.placement(), lambda: None) as virtual:
            return virtual.get(kind, name, namespace)

    def write(self, name: str) -> None:
        """A ConfigMap of its user's, where it runs now."""
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}}
        with Clients().virtual(self.placement(), lambda: None) as virtual:
            virtual.apply({**manifest, "data": {"a": "1"}})

    def export(self) -> Export:
        return self.shop.export()


def objects_on(fake: FakeHost, kind: Kind, namespace: str | None = None) -> list[Json]:
    with connection_open(fake.connection, target="host of the test") as api:
        return KubeClient(api).list(kind, namespace)
