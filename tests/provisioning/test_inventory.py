"""An inventory finds the virtual clusters that Marina did not make, and never calls one of its own a stranger."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from clusters.connection import HostConnection
from clusters.models import DiscoveredCluster, HostCluster, HostMode, Placement, PlacementRole, VirtualClusterPhase
from provisioning.drivers.kinds import NAMESPACE, Kind, kind_of
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.inventory import inventory_note, workload_told
from tests.accounts.conftest import World, world_make
from tests.clusters.making import cluster_row
from tests.provisioning.drivers.conftest import connection_of
from tests.provisioning.hosts import host_at

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db) -> World:
    return world_make()


@pytest.fixture(scope="module")
def connection(local_hosts) -> HostConnection:
    return connection_of(local_hosts["harbor-east"].kubeconfig)


@pytest.fixture(scope="module")
def kube(connection) -> Iterator[KubeClient]:
    with connection_open(connection, target="host harbor-east") as api:
        yield KubeClient(api)


@pytest.fixture
def host(connection) -> HostCluster:
    return host_at(connection)


@pytest.fixture
def namespace(kube) -> Iterator[str]:
    name = f"inventory-{uuid4().hex[:8]}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kube.delete(NAMESPACE, name)


def workload(namespace: str, release: str = "tills", *, kind: str = "StatefulSet", **labels: str) -> dict[str, Any]:
    """As the chart makes it, of no replicas."""
    selector = {"app": "vcluster", "release": release}
    containers = [{"name": "syncer", "image": "registry.example:5000/loft-sh/vcluster-pro:0.35.0"}]
    first = [{"name": "kubernetes", "image": "ghcr.io/loft-sh/kubernetes:v1.35.4"}]
    pod = {"metadata": {"labels": selector}, "spec": {"containers": containers, "initContainers": first}}
    spec: dict[str, Any] = {"replicas": 0, "selector": {"matchLabels": selector}, "template": pod}
    if kind == "StatefulSet":
        spec["serviceName"] = release
    metadata = {"name": release, "namespace": namespace, "labels": {**selector, "chart": "vcluster-0.35.0", **labels}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def noted(host: HostCluster, kube: KubeClient, namespace: str) -> list[DiscoveredCluster]:
    """What is found in the test's own namespace: other tests use the same host."""
    inventory_note(host=host, kube=kube, now=timezone.now())
    return list(DiscoveredCluster.objects.filter(host=host, namespace=namespace).order_by("release"))


def removed(kube: KubeClient, manifest: dict[str, Any]) -> None:
    kind: Kind = kind_of(manifest)
    kube.delete(kind, manifest["metadata"]["name"], manifest["metadata"]["namespace"], grace=0)


@pytest.mark.parametrize("kind", ["StatefulSet", "Deployment"])
def test_what_a_workload_tells_of_it_is_kept_and_what_somebody_said_of_it_too(host, kube, namespace, kind):
    made = kube.create(workload(namespace, kind=kind))
    (found,) = noted(host, kube, namespace)
    assert (found.release, found.workload, found.uid) == ("tills", kind, made["metadata"]["uid"])
    assert (found.chart_version, found.kubernetes_version) == ("0.35.0", "1.35.4")
    assert found.image == "registry.example:5000/loft-sh/vcluster-pro:0.35.0"
    assert not found.paused
    DiscoveredCluster.objects.update(ignored=True)
    paused = {"metadata": {"annotations": {"loft.sh/paused": "true"}}}
    kube.patch_merge(kind_of(made), "tills", namespace, paused)
    (again,) = noted(host, kube, namespace)
    assert (again.pk, again.ignored, again.paused) == (found.pk, True, True)
    removed(kube, made)
    assert noted(host, kube, namespace) == []


def test_nothing_of_it_is_changed(host, kube, namespace):
    made = kube.create(workload(namespace))
    before = kube.get(kind_of(made), "tills", namespace)
    noted(host, kube, namespace)
    after = kube.get(kind_of(made), "tills", namespace)
    for part in ("generation", "labels", "uid"):
        assert before["metadata"][part] == after["metadata"][part]
    assert before["spec"] == after["spec"]
    assert kube.get(NAMESPACE, namespace)["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}


@pytest.mark.parametrize("role", PlacementRole.values)
def test_one_that_marina_placed_is_no_stranger_in_any_role(world, host, kube, namespace, role):
    kube.create(workload(namespace))
    cluster = cluster_row(world)
    Placement.objects.create(virtual_cluster=cluster, host=host, role=role, namespace=namespace, release="tills")
    assert noted(host, kube, namespace) == []


def test_one_in_a_namespace_that_bears_the_label_of_a_living_cluster_is_no_stranger(world, host, kube, namespace):
    """Its deletion is ending, or it is placed on another row of the same host."""
    kube.create(workload(namespace))
    cluster = cluster_row(world, phase=VirtualClusterPhase.DELETING)
    labels = {"marina.dev/virtual-cluster": str(cluster.pk)}
    kube.patch_merge(NAMESPACE, namespace, None, {"metadata": {"labels": labels}})
    assert noted(host, kube, namespace) == []
    cluster.phase = VirtualClusterPhase.DELETED
    cluster.save()
    assert len(noted(host, kube, namespace)) == 1


def test_what_a_tenant_has_synced_is_no_virtual_cluster(host, kube, namespace):
    kube.create(workload(namespace, **{"vcluster.loft.sh/managed-by": "somebody"}))
    assert noted(host, kube, namespace) == []


def test_in_mode_namespaces_only_the_given_ones_are_searched(connection, kube, namespace):
    kube.create(workload(namespace))
    elsewhere = host_at(connection, "elsewhere", mode=HostMode.NAMESPACES, namespaces=["default"])
    assert noted(elsewhere, kube, namespace) == []
    given = host_at(connection, "given", mode=HostMode.NAMESPACES, namespaces=[namespace])
    assert [found.release for found in noted(given, kube, namespace)] == ["tills"]


def test_what_tells_little_is_found_all_the_same():
    bare = workload("x")
    del bare["metadata"]["labels"]["chart"]
    bare["metadata"]["uid"] = "u"
    bare["spec"]["template"]["spec"] = {"containers": [{"name": "main", "image": "vcluster@sha256:abc"}]}
    told = workload_told(bare)
    assert (told["chart_version"], told["kubernetes_version"], told["image"]) == ("", "", "vcluster@sha256:abc")
