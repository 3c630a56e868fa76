"""What is not a cluster's own stays as it is: other people's namespaces, their labels, and the host a name stands for.

The flows run in this process against a real host, whose administrator put obstacles in their way.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from accounts.errors import Conflict
from accounts.models import Organization, Project, User
from accounts.services.audit import Actor
from clusters.kubeconfig import kubeconfig_parse
from clusters.models import (
    HostCluster,
    HostCredential,
    HostMode,
    HostPhase,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    VirtualCluster,
)
from clusters.names import namespace_for
from clusters.services.hosts import credential_store, host_credential_replace
from clusters.services.operations import operation_retry, operation_start
from localkube import LocalHost, Tools
from provisioning.engine.flow import Flow
from provisioning.flows import FLOWS
from provisioning.steps.namespaces import create_namespace
from provisioning.steps.placing import choose_host
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api
from tests.e2e.in_process import operation_finish

# committed as it goes: what waits is due by the clock of the database, which stands still in a transaction
pytestmark = [pytest.mark.localkube, pytest.mark.django_db(transaction=True)]

ACTOR = Actor(user=None, name="test")
ENFORCE = "pod-security.kubernetes.io/enforce"
CLUSTER_LABEL = "marina.dev/virtual-cluster"
ONLY_THE_NAMESPACE = {
    **FLOWS,
    OperationKind.PROVISION: Flow(kind=OperationKind.PROVISION, steps=(choose_host, create_namespace)),
}


@pytest.fixture
def kubectl(admin_of: Callable[[str], Kubectl]) -> Kubectl:
    return admin_of("harbor-west")


@pytest.fixture
def host(local_hosts: Mapping[str, LocalHost], tools: Tools, settings: Settings) -> HostCluster:
    """harbor-west, connected with its administrator's credential."""
    settings.HELM_BINARY = str(tools.helm)
    found = HostCluster.objects.create(
        name="west", phase=HostPhase.CONNECTED, kubernetes_version="1.36.3", offered_to_all=True
    )
    HostCredential.objects.create(host=found)
    connection = kubeconfig_parse(local_hosts["harbor-west"].kubeconfig.read_text())
    credential_store(host=found, connection=connection, now=timezone.now(), renewable=False)
    return found


@pytest.fixture
def cluster(host: HostCluster) -> VirtualCluster:
    organization = Organization.objects.create(name="acme")
    project = Project.objects.create(organization=organization, name="shop")
    user = User.objects.create(handle="olga")
    return VirtualCluster.objects.create(
        project=project, name="hello", owner_user=user, creator=user, kubernetes_version="1.36.3", size="small"
    )


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[Callable[..., str]]:
    """Makes namespaces of the host's administrator; gone afterwards."""
    made: list[str] = []

    def make(name: str = "", **labels: str) -> str:
        name = name or f"own-{secrets.token_hex(3)}"
        kubectl("create", "namespace", name)
        made.append(name)
        pairs = [f"{key.replace('__', '/')}={value}" for key, value in labels.items()]
        if pairs:
            kubectl("label", "namespace", name, "--overwrite", *pairs)
        return name

    yield make
    kubectl("delete", "namespace", *made, "--wait=false", "--ignore-not-found")


def done(kind: OperationKind, subject: HostCluster | VirtualCluster, **options: object) -> Operation:
    with transaction.atomic():
        started = operation_start(kind=kind, subject=subject, actor=ACTOR, now=timezone.now())
    return operation_finish(started.operation, **options)  # type: ignore[arg-type]


def labels(kubectl: Kubectl, name: str) -> dict[str, str]:
    found: dict[str, str] = kubectl.get("namespace", name)["metadata"]["labels"]
    return found


def test_somebody_elses_namespace_is_neither_taken_nor_touched_by_the_delete(
    cluster: VirtualCluster, kubectl: Kubectl, namespace: Callable[..., str]
) -> None:
    name = namespace(namespace_for(cluster.name, cluster.pk))
    kubectl("create", "configmap", "theirs", "-n", name)
    failed = done(OperationKind.PROVISION, cluster)
    assert (failed.state, failed.error_code) == (OperationState.FAILED, "namespace-taken")
    ended = done(OperationKind.DELETE, cluster)
    assert ended.state == OperationState.SUCCEEDED, ended.message
    assert not Placement.objects.exists()
    assert kubectl.get("configmap", "theirs", "-n", name)
    assert CLUSTER_LABEL not in labels(kubectl, name)


def test_a_given_namespace_that_holds_another_cluster_is_refused(
    cluster: VirtualCluster, host: HostCluster, namespace: Callable[..., str]
) -> None:
    name = namespace(**{"marina.dev__virtual-cluster": "somebody"})
    HostCluster.objects.filter(pk=host.pk).update(mode=HostMode.NAMESPACES, namespaces=[name])
    failed = done(OperationKind.PROVISION, cluster)
    assert (failed.state, failed.error_code) == (OperationState.FAILED, "namespace-taken")


@pytest.mark.parametrize(("had", "has"), [("restricted", "restricted"), ("privileged", "baseline")])
def test_a_given_namespace_keeps_a_stricter_pod_security_and_gets_its_own_labels_back(
    cluster: VirtualCluster, host: HostCluster, kubectl: Kubectl, namespace: Callable[..., str], had: str, has: str
) -> None:
    name = namespace(
        **{"pod-security.kubernetes.io__enforce": had, "app.kubernetes.io__managed-by": "flux", "team": "a"}
    )
    HostCluster.objects.filter(pk=host.pk).update(mode=HostMode.NAMESPACES, namespaces=[name])
    before = labels(kubectl, name)
    assert done(OperationKind.PROVISION, cluster, flows=ONLY_THE_NAMESPACE).state == OperationState.SUCCEEDED
    assert labels(kubectl, name)[ENFORCE] == has
    assert labels(kubectl, name)[CLUSTER_LABEL] == str(cluster.pk)
    assert done(OperationKind.DELETE, cluster).state == OperationState.SUCCEEDED
    assert labels(kubectl, name) == before


def test_a_credential_of_another_cluster_is_refused_while_the_host_holds_something(
    cluster: VirtualCluster, host: HostCluster, local_hosts: Mapping[str, LocalHost]
) -> None:
    HostCluster.objects.filter(pk=host.pk).update(identity={"kube-system": "uid of another cluster"})
    Placement.objects.create(
        virtual_cluster=cluster, host=host, namespace="elsewhere", namespace_created=True, release="hello"
    )
    in_use = bytes(HostCredential.objects.get().ciphertext or b"")
    kubeconfig = local_hosts["harbor-west"].kubeconfig.read_text()
    connecting = host_credential_replace(host=host, kubeconfig=kubeconfig, actor=ACTOR, now=timezone.now())
    failed = operation_finish(connecting.operation)
    assert (failed.state, failed.error_code) == (OperationState.FAILED, "wrong-cluster")
    credential = HostCredential.objects.get()
    assert (bytes(credential.ciphertext or b""), credential.candidate) == (in_use, None)
    with pytest.raises(Conflict, match="cannot be tried again"):
        operation_retry(operation=failed, actor=ACTOR, now=timezone.now())


def test_a_tenant_who_deletes_marinas_namespace_inside_still_gets_a_kubeconfig(
    developer: Api, marina: Marina, least: TestHost, project: str, inside_of: Callable[[str], Kubectl]
) -> None:
    developer.ended(developer.create("reckless", project=project, host=least.name))
    inside_of("reckless")("delete", "namespace", "marina-access", exit_code=None)
    assert marina("kubeconfig", "reckless", "--direct", "--level", "view").stdout.startswith("apiVersion")
    developer.ended(developer.delete("reckless"))
