"""The journey Marina exists for: a virtual cluster on demand, used, and gone without a trace."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.commands import Kubectl, Marina
from tests.conftest import TestHost

pytestmark = pytest.mark.e2e

WORKLOAD = json.dumps(
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "nginx:1.29"}]},
            },
        },
    }
)


@pytest.fixture(scope="module")
def hello(marina: Marina, hosts: list[TestHost]) -> Iterator[dict]:
    """A virtual cluster named hello, gone afterwards."""
    marina("create", "hello", "--host", hosts[0].name, "--wait", "--timeout", "120")
    yield marina("get", "hello", "-o", "json").json
    marina("delete", "hello", "--yes", "--wait", exit_code=None)


@pytest.fixture(scope="module")
def inside(hello: dict, inside_of: Callable[[str], Kubectl]) -> Kubectl:
    """kubectl on hello, by a kubeconfig that Marina issued."""
    return inside_of("hello")


def test_a_created_cluster_is_ready_and_says_where_it_runs(hello: dict, hosts: list[TestHost]) -> None:
    assert hello["phase"] == "Ready"
    assert hello["observed_generation"] == hello["generation"]
    assert hello["placement"]["host"]["name"] == hosts[0].name
    assert hello["placement"]["endpoint"].startswith("https://") or hosts[0].exposure == "None"
    assert hello["operation"]["state"] == "Succeeded"
    assert [step["state"] for step in hello["operation"]["steps"]] == ["done"] * 7


def test_its_kubeconfig_runs_workloads(inside: Kubectl) -> None:
    inside("create", "namespace", "shop")
    inside("apply", "-f", "-", stdin=WORKLOAD)
    inside("-n", "shop", "wait", "--for=condition=Available", "deployment/web", "--timeout=60s")
    phases = [pod["status"]["phase"] for pod in inside.get("pods", "-n", "shop")]
    assert phases == ["Running", "Running"]


def test_deleting_leaves_nothing_on_the_host(marina: Marina, hosts: list[TestHost]) -> None:
    marina("create", "brief", "--host", hosts[0].name, "--wait")
    namespace = marina("get", "brief", "-o", "json").json["placement"]["namespace"]
    marina("delete", "brief", "--yes", "--wait")
    kubectl = hosts[0].kubectl
    assert namespace not in [found["metadata"]["name"] for found in kubectl.get("namespaces")]
    claims = [volume.get("spec", {}).get("claimRef", {}) for volume in kubectl.get("pv")]
    assert namespace not in [claim.get("namespace") for claim in claims]
    assert "brief" not in marina("list", "-o", "name").stdout
