"""Host PriorityClasses outlive a release: where their sync was on, deleting takes away exactly the cluster's own.

The stand-in for vcluster syncs none, so one is made by hand as vcluster names and labels it, and the `delete` flow
runs in this process.
"""

import json
from collections.abc import Callable, Iterator, Mapping

import pytest
from django.utils import timezone

from accounts.models import Organization, Project, User
from accounts.services.audit import Actor
from clusters.connection import HostConnection
from clusters.kubeconfig import kubeconfig_parse
from clusters.models import (
    HostCluster,
    HostCredential,
    HostPhase,
    OperationKind,
    OperationState,
    Placement,
    VirtualCluster,
)
from clusters.services.hosts import credential_store
from clusters.services.operations import operation_start
from localkube import LocalHost, Tools
from tests.commands import Kubectl
from tests.e2e.in_process import operation_finish

pytestmark = [pytest.mark.localkube, pytest.mark.django_db]

NAMESPACE = "marina-urgent-0000000001"


@pytest.fixture
def kubectl(admin_of: Callable[[str], Kubectl]) -> Iterator[Kubectl]:
    """The administrator's, on a host with a class of the cluster's and one of its namesake's."""
    found = admin_of("harbor-west")
    for name, owner in (("ours", f"{NAMESPACE}-x-urgent"), ("theirs", "other-namespace-x-urgent")):
        found("apply", "-f", "-", stdin=priority_class(f"{name}-x-urgent", owner))
    yield found
    found("delete", "priorityclass", "theirs-x-urgent", "ours-x-urgent", "--ignore-not-found")


def priority_class(name: str, owner: str) -> str:
    metadata = {"name": name, "labels": {"vcluster.loft.sh/managed-by": owner}}
    return json.dumps(
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata, "value": 1000}
    )


@pytest.fixture
def cluster(local_hosts: Mapping[str, LocalHost]) -> VirtualCluster:
    """A cluster whose namespace is gone from its host already, where it synced PriorityClasses."""
    connection: HostConnection = kubeconfig_parse(local_hosts["harbor-west"].kubeconfig.read_text())
    host = HostCluster.objects.create(name="west", phase=HostPhase.CONNECTED, kubernetes_version="1.36.3")
    HostCredential.objects.create(host=host)
    credential_store(host=host, connection=connection, now=timezone.now(), renewable=False)
    organization = Organization.objects.create(name="acme")
    project = Project.objects.create(organization=organization, name="urgent")
    user = User.objects.create(handle="ursula")
    found = VirtualCluster.objects.create(
        project=project, name="urgent", owner_user=user, creator=user, kubernetes_version="1.36.3", size="small"
    )
    Placement.objects.create(
        virtual_cluster=found,
        host=host,
        namespace=NAMESPACE,
        namespace_created=True,
        release="urgent",
        syncs_priority_classes=True,
    )
    return found


def test_deleting_removes_the_clusters_own_priority_classes_and_no_others(
    cluster: VirtualCluster, kubectl: Kubectl, tools: Tools
) -> None:
    actor = Actor(user=None, name="test")
    started = operation_start(kind=OperationKind.DELETE, subject=cluster, actor=actor, now=timezone.now())
    operation = operation_finish(started.operation)
    assert operation.state == OperationState.SUCCEEDED, operation.message
    left = [each["metadata"]["name"] for each in kubectl.get("priorityclasses")]
    assert "ours-x-urgent" not in left
    assert "theirs-x-urgent" in left
