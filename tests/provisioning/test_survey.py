"""A survey tells what a host has and what is asked of it, by namespace, and asks nothing that it need not."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from clusters.connection import HostConnection
from clusters.models import Breaker, HostCluster, HostMode, HostPhase, Placement
from dev.waiting import wait_until
from localkube import LocalHost
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import NAMESPACE, POD
from provisioning.drivers.kube import KubeClient, Permission
from provisioning.drivers.transport import connection_open
from provisioning.survey import hosts_survey, survey_claim
from tests.accounts.conftest import world_make
from tests.clusters.making import cluster_row, host_row
from tests.e2e.audit_log import calls_of
from tests.engine.conftest import at_once
from tests.provisioning.drivers.conftest import connection_of
from tests.provisioning.drivers.fault_servers import connection_to, serving
from tests.provisioning.hosts import fresh, host_at

pytestmark = pytest.mark.django_db(transaction=True)
MIB = 1024 * 1024


@pytest.fixture
def world(db):
    return world_make()


@pytest.fixture(scope="module")
def local(local_hosts) -> LocalHost:
    host: LocalHost = local_hosts["harbor-east"]
    return host


@pytest.fixture(scope="module")
def connection(local) -> HostConnection:
    return connection_of(local.kubeconfig)


@pytest.fixture(scope="module")
def kube(connection):
    with connection_open(connection, target="host harbor-east") as api:
        yield KubeClient(api)


@pytest.fixture
def namespaces(kube):
    """Two, empty; gone afterwards."""
    names = tuple(f"survey-{uuid4().hex[:8]}-{letter}" for letter in "ab")
    for name in names:
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield names
    for name in names:
        for found in kube.list(POD, name):
            kube.delete(POD, found["metadata"]["name"], name, grace=0)
        kube.delete(NAMESPACE, name)


@pytest.fixture
def account(connection, kube, namespaces) -> tuple[str, HostConnection]:
    """One that may list the pods of the first namespace and nothing else: who it is, and its connection."""
    group, name, namespace = "rbac.authorization.k8s.io", "surveyor", namespaces[0]
    metadata = {"name": name, "namespace": namespace}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": group, "kind": "Role", "name": name}
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    kube.apply({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": rules})
    binding = {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": metadata}
    kube.apply({**binding, "roleRef": role, "subjects": [subject]})
    token, _ = kube.token_request(namespace, name, 3600)
    only = HostConnection(server=connection.server, ca_pem=connection.ca_pem, token=token)
    review = Permission(verb="list", resource="pods", namespace=namespace)
    with connection_open(only, target="host harbor-east") as api:
        wait_until(lambda: KubeClient(api).access_review(review), seconds=20, what="The role does not hold")
    return f"system:serviceaccount:{namespace}:{name}", only


def pod(name: str, namespace: str, cpu: str, memory: str, **spec) -> dict[str, Any]:
    resources = {"requests": {"cpu": cpu, "memory": memory}}
    containers = [{"name": "main", "image": "example.com/none", "resources": resources}]
    metadata = {"name": name, "namespace": namespace}
    # no node takes it, so nothing changes its phase but the test
    spec = {"nodeSelector": {"nobody": "has"}, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers, **spec}}


def surveyed(host: HostCluster) -> dict[str, Any]:
    """Its capacity after a survey of what is due."""
    assert hosts_survey(clients=Clients(), clock=timezone.now) == 1
    capacity: dict[str, Any] = fresh(host).capacity
    return capacity


def test_capacity_is_what_ready_nodes_have_and_what_pods_ask_for_by_namespace(connection, kube, namespaces):
    one, other = namespaces
    kube.create(pod("first", one, "250m", "64Mi"))
    kube.create(pod("second", one, "1", "1Gi"))
    kube.create(pod("third", other, "100m", "32Mi"))
    capacity = surveyed(host_at(connection))
    assert capacity["allocatable"] == {"cpu": 512_000, "memory": 2 * 1024**4, "pods": 20_000}
    assert (capacity["nodes"], capacity["nodes_ready"], capacity["left_out"]) == (1, 1, [])
    assert capacity["requested_by_namespace"][one] == {"cpu": 1250, "memory": 1088 * MIB, "pods": 2}
    assert capacity["requested_by_namespace"][other] == {"cpu": 100, "memory": 32 * MIB, "pods": 1}
    summed = {key: sum(each[key] for each in capacity["requested_by_namespace"].values()) for key in ("cpu", "pods")}
    assert summed == {key: capacity["requested"][key] for key in summed}


def test_a_pod_that_has_ended_counts_nothing(connection, kube, namespaces):
    for name, phase in (("done", "Succeeded"), ("broken", "Failed"), ("waiting", "Pending")):
        kube.create(pod(name, namespaces[0], "250m", "64Mi"))
        kube.patch_merge(POD, name, namespaces[0], {"status": {"phase": phase}}, subresource="status")
    capacity = surveyed(host_at(connection))
    assert capacity["requested_by_namespace"][namespaces[0]] == {"cpu": 250, "memory": 64 * MIB, "pods": 1}


def test_in_mode_namespaces_nothing_is_asked_outside_the_given_ones(account, kube, namespaces, local):
    who, connection = account
    one, other = namespaces
    kube.create(pod("ours", one, "250m", "64Mi"))
    kube.create(pod("theirs", other, "250m", "64Mi"))
    since = (local.folder / "audit.log").stat().st_size
    capacity = surveyed(host_at(connection, mode=HostMode.NAMESPACES, namespaces=[one]))
    calls = calls_of(who, local.folder / "audit.log", since=since, refused=True)
    assert {(call.verb, call.namespace) for call in calls} == {("list", one)}
    assert (capacity["nodes"], capacity["allocatable"]) == (None, None)
    assert capacity["requested"] == {"cpu": 250, "memory": 64 * MIB, "pods": 1}
    nodes, strangers = capacity["left_out"]
    assert nodes == "nodes: Marina asks nothing outside its namespaces on this host."
    assert 'cannot list resource "statefulsets"' in strangers


def test_what_may_not_be_listed_is_left_out_and_said_and_own_namespaces_are_counted(account, kube, namespaces, world):
    _, connection = account
    one, other = namespaces
    kube.create(pod("ours", one, "250m", "64Mi"))
    host = host_at(connection)
    for name, namespace in (("first", one), ("second", other)):
        cluster = cluster_row(world, name)
        Placement.objects.create(virtual_cluster=cluster, host=host, namespace=namespace, release=name)
    capacity = surveyed(host)
    assert capacity["requested_by_namespace"] == {one: {"cpu": 250, "memory": 64 * MIB, "pods": 1}}
    assert (capacity["nodes_ready"], capacity["allocatable"]) == (None, None)
    nodes, pods, elsewhere, strangers = capacity["left_out"]
    assert strangers.startswith("virtual clusters that Marina did not make: ")
    assert nodes.startswith("nodes: ")
    assert 'cannot list resource "nodes"' in nodes
    assert pods.startswith("pods outside Marina's own namespaces: ")
    assert elsewhere.startswith(f"pods in {other}: ")


def test_a_host_is_surveyed_by_one_at_a_time_and_again_when_its_time_has_come(db, settings):
    settings.SURVEY_SECONDS = 60
    host = host_row()
    assert survey_claim() == host
    assert survey_claim() is None
    HostCluster.objects.update(surveyed_at=timezone.now() - timedelta(seconds=61))
    assert survey_claim() == host


def test_two_that_claim_at_once_get_different_hosts(db):
    hosts = {host_row("east"), host_row("west")}
    assert set(at_once(2, lambda _: survey_claim())) == hosts


def test_the_host_that_was_not_seen_for_longest_comes_first(db):
    now = timezone.now()
    for name, hours in (("east", 1), ("west", 3), ("north", 2)):
        host_row(name, surveyed_at=now - timedelta(hours=hours))
    new = host_row("new")
    assert [host.name for host in iter(survey_claim, None)] == [new.name, "west", "north", "east"]


def test_a_silent_host_and_one_that_is_not_connected_are_not_surveyed(db):
    host_row("silent", breaker=Breaker.OPEN)
    host_row("failed", phase=HostPhase.FAILED)
    assert survey_claim() is None
    tried = host_row("tried", breaker=Breaker.HALF_OPEN)
    assert survey_claim() == tried


def test_a_host_that_cannot_be_surveyed_keeps_what_is_known_of_it(db):
    with serving(lambda connection: None) as port:
        host = host_at(connection_to(port), capacity={"nodes": 3})
        assert surveyed(host) == {"nodes": 3}
        assert fresh(host).surveyed_at is not None


def test_who_is_told_to_stop_begins_no_other_survey(db):
    host = host_row()
    assert hosts_survey(clients=Clients(), clock=timezone.now, stopping=lambda: True) == 0
    assert survey_claim() == host
