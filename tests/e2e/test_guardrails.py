"""What keeps a tenant's pods in their place on the host, and how a tenant learns that the host refused one."""

import json
from collections.abc import Iterator

import pytest

from dev.errors import DevError
from dev.waiting import wait_until
from tests.commands import Kubectl
from tests.conftest import TestHost
from tests.e2e.api import Api, Json

OWNER_LABELS = ("marina.dev/virtual-cluster", "marina.dev/project", "marina.dev/organization")


def test_the_host_namespace_says_whose_it_is_and_refuses_privileged_pods(home: TestHost, shared: Json) -> None:
    labels = home.kubectl.get("namespace", shared["placement"]["namespace"])["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "marina"
    assert labels["marina.dev/virtual-cluster"] == shared["id"]
    assert labels["marina.dev/project"] == shared["project"]["id"]
    assert labels["marina.dev/organization"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"


@pytest.mark.parametrize("kind", ["resourcequota", "limitrange", "networkpolicy"])
def test_each_guardrail_stands_there_with_its_owner(home: TestHost, shared: Json, kind: str) -> None:
    found = home.kubectl.get(kind, "-n", shared["placement"]["namespace"])
    ours = [each for each in found if each["metadata"]["name"].startswith("marina")]
    assert ours
    for each in ours:
        assert set(OWNER_LABELS) < set(each["metadata"]["labels"])


def test_the_quota_is_that_of_the_size_and_the_limit_range_gives_every_container_limits(
    home: TestHost, shared: Json
) -> None:
    namespace = shared["placement"]["namespace"]
    quota = home.kubectl.get("resourcequota", "marina", "-n", namespace)["spec"]["hard"]
    assert {"requests.cpu", "limits.memory", "requests.storage", "pods", "services.loadbalancers"} < set(quota)
    (limits,) = home.kubectl.get("limitrange", "marina", "-n", namespace)["spec"]["limits"]
    assert limits["type"] == "Container"
    assert {"memory", "ephemeral-storage"} <= set(limits["default"])


def test_pods_reach_their_own_namespace_dns_and_the_internet_but_no_other_tenant(home: TestHost, shared: Json) -> None:
    namespace = shared["placement"]["namespace"]
    spec = home.kubectl.get("networkpolicy", "marina-isolation", "-n", namespace)["spec"]
    assert spec["podSelector"] == {}
    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert spec["ingress"] == [{"from": [{"podSelector": {}}]}]
    own, dns, internet = spec["egress"]
    assert own == {"to": [{"podSelector": {}}]}
    assert {port["port"] for port in dns["ports"]} == {53, 1053}
    assert "10.0.0.0/8" in internet["to"][0]["ipBlock"]["except"]


def pod(name: str, **spec: object) -> Json:
    container: Json = {"name": "main", "image": "nginx:1.29"}
    for key in ("securityContext", "resources", "volumeMounts"):
        if key in spec:
            container[key] = spec.pop(key)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], **spec},
    }


REFUSED = {
    "privileged": (
        pod("privileged", securityContext={"privileged": True}),
        'violates PodSecurity "baseline:latest": privileged',
    ),
    "hostpath": (
        pod("hostpath", volumes=[{"name": "root", "hostPath": {"path": "/"}}]),
        'violates PodSecurity "baseline:latest": hostPath volumes',
    ),
    "hostnetwork": (
        pod("hostnetwork", hostNetwork=True),
        'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
    ),
    "overquota": (
        pod("overquota", resources={"requests": {"memory": "500Gi"}, "limits": {"memory": "500Gi"}}),
        "exceeded quota: marina, requested: limits.memory=500Gi",
    ),
}


@pytest.fixture
def refused(shared_inside: Kubectl, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A pod that a cluster-admin of the virtual cluster makes, and what the host says to it."""
    manifest, said = REFUSED[request.param]
    shared_inside("apply", "-f", "-", stdin=json.dumps(manifest))
    yield request.param, said
    shared_inside("delete", "pod", request.param, "--grace-period=0", "--force")


def accepted(developer: Api) -> Json:
    """The shared cluster's condition WorkloadsAccepted."""
    found = developer.cluster("shared")["conditions"]
    return next((each for each in found if each["type"] == "WorkloadsAccepted"), {"status": "", "message": ""})


@pytest.mark.parametrize("refused", REFUSED, indirect=True)
def test_the_host_refuses_it_to_a_tenants_cluster_admin_and_the_cluster_quotes_the_host(
    refused: tuple[str, str], developer: Api, shared: Json, shared_inside: Kubectl, home: TestHost
) -> None:
    name, said = refused

    def quoted() -> bool:
        message = accepted(developer)["message"]
        return f"Pod default/{name}: " in message and said in message

    try:
        wait_until(quoted, seconds=60, what=f"The cluster does not quote the host on pod {name}")
    except DevError:
        pytest.fail(f"{accepted(developer)}\n{shared_inside('get', 'events', '-o', 'wide')}")
    assert (accepted(developer)["status"], accepted(developer)["reason"]) == ("False", "SyncError")
    assert shared_inside.get("pod", name)["status"]["phase"] == "Pending"
    copies = home.kubectl.get("pods", "-n", shared["placement"]["namespace"])
    assert not [each for each in copies if each["metadata"]["name"].startswith(f"{name}-x-")]


def test_a_cluster_none_of_whose_pods_is_refused_any_more_says_so(developer: Api, shared: Json) -> None:
    wait_until(lambda: accepted(developer)["status"] == "True", seconds=60, what="The condition did not become True")
    assert accepted(developer)["message"] == "The host refuses no pod."


def test_what_stays_inside_the_cluster_is_listed_with_its_reason(shared: Json) -> None:
    listed = {each["kind"]: each["reason"] for each in shared["not_synced"]}
    assert listed["PriorityClass"] == "The host schedules all pods alike."
    assert not {"Pod", "Ingress", "NetworkPolicy", "PodDisruptionBudget"} & set(listed)


def test_the_hosts_ingress_classes_are_visible_inside(shared_inside: Kubectl, home: TestHost) -> None:
    def classes(kubectl: Kubectl) -> set[str]:
        return {each["metadata"]["name"] for each in kubectl.get("ingressclasses")}

    assert classes(home.kubectl) <= classes(shared_inside)
