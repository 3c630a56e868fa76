"""A cluster that is Ready on a fake host, with something of its user's in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.services.audit import Actor
from clusters.models import Export, HostCluster, Operation, OperationState, Placement, VirtualCluster
from clusters.services.exports import export_start
from clusters.services.virtual_clusters import VirtualClusterSpec, virtual_cluster_create
from provisioning.drivers.clients import Clients
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from tests.accounts.conftest import World
from tests.canaries import canary
from tests.e2e.in_process import operation_finish
from tests.fakes.host import FakeHost

PASSWORD = canary("p4ssw0rd-in-a-secret-of-the-shop", "a value in a Secret of a tenant")


@dataclass
class Shop:
    """A cluster that is Ready on a fake host, with a namespace of its user's."""

    world: World
    fake: FakeHost
    cluster: VirtualCluster
    folder: Path

    def ask(self, **fields: Any) -> Export:
        now = timezone.now()
        return export_start(virtual_cluster=self.cluster, actor=Actor(user=self.world.olivia), now=now, **fields).export

    def export(self, **fields: Any) -> Export:
        """Asked for and worked on until its operation has ended."""
        asked = self.ask(**fields)
        operation_finish(operation_of(asked))
        return fresh(asked)

    @property
    def placement(self) -> Placement:
        return Placement.objects.select_related("host__credential").get(virtual_cluster=self.cluster)

    def placement_at(self, role: str) -> Placement:
        """Of one that moved."""
        return Placement.objects.select_related("host__credential").get(virtual_cluster=self.cluster, role=role)

    def files(self) -> list[Path]:
        return [each for each in self.folder.rglob("*") if each.is_file()]


def operation_of(export: Export) -> Operation:
    return Operation.objects.get(export=export)


def fresh(export: Export) -> Export:
    return Export.objects.select_related("operation").get(pk=export.pk)


def api_groups(fake: FakeHost) -> list[str]:
    with connection_open(fake.connection, target="host of the test") as api:
        return KubeClient(api).api_groups()


def provisioned(world: World, host: HostCluster) -> VirtualCluster:
    work = virtual_cluster_create(
        project=world.payments,
        name="shop",
        spec=VirtualClusterSpec(kubernetes_version="1.36.3"),
        actor=Actor(user=world.olivia),
        now=timezone.now(),
        host=host,
    )
    assert operation_finish(work.operation).state == OperationState.SUCCEEDED
    placement = Placement.objects.select_related("host__credential").get(virtual_cluster=work.virtual_cluster)
    with Clients().virtual(placement, lambda: None) as virtual:
        virtual.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "door", "namespace": "shop"}}
        virtual.apply({**secret, "stringData": {"password": PASSWORD}})
    return work.virtual_cluster
