"""The journey Marina exists for: a virtual cluster on demand, used, gone without a trace, and nothing comes back."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Json

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
def hello(marina: Marina, home: TestHost) -> Iterator[Json]:
    """A virtual cluster named hello, gone afterwards."""
    created = make(marina, home)
    yield created
    marina("delete", "hello", "--yes", "--wait", exit_code=None)


def make(marina: Marina, home: TestHost) -> Json:
    marina("create", "hello", "--host", home.name, "--wait", "--timeout", "180")
    found: Json = marina("get", "hello", "-o", "json").json
    return found


@pytest.fixture(scope="module")
def inside(hello: Json, inside_of: Callable[[str], Kubectl]) -> Kubectl:
    """kubectl on hello, by a kubeconfig that Marina issued."""
    return inside_of("hello")


def test_a_created_cluster_is_ready_and_says_where_it_runs(hello: Json, home: TestHost) -> None:
    assert hello["phase"] == "Ready"
    assert hello["observed_generation"] == hello["generation"]
    assert hello["placement"]["host"]["name"] == home.name
    assert bool(hello["placement"]["endpoint"]) == (home.exposure != "None")
    assert hello["operation"]["state"] == "Succeeded"
    assert [step["state"] for step in hello["operation"]["steps"]] == ["done"] * 7


def test_its_kubeconfig_runs_workloads(inside: Kubectl) -> None:
    inside("create", "namespace", "shop")
    inside("apply", "-f", "-", stdin=WORKLOAD)
    inside("-n", "shop", "wait", "--for=condition=Available", "deployment/web", "--timeout=120s")
    phases = [pod["status"]["phase"] for pod in inside.get("pods", "-n", "shop")]
    assert phases == ["Running", "Running"]


def test_deleting_leaves_nothing_on_the_host(hello: Json, marina: Marina, home: TestHost) -> None:
    namespace = hello["placement"]["namespace"]
    assert namespace in [found["metadata"]["name"] for found in home.kubectl.get("namespaces")]
    marina("delete", "hello", "--yes", "--wait")
    assert namespace not in [found["metadata"]["name"] for found in home.kubectl.get("namespaces")]
    claims = [volume.get("spec", {}).get("claimRef", {}) for volume in home.kubectl.get("pv")]
    assert namespace not in [claim.get("namespace") for claim in claims]
    assert "hello" not in marina("list", "-o", "name").stdout


def test_its_name_used_again_does_not_revive_what_was_there(
    hello: Json, marina: Marina, home: TestHost, inside_of: Callable[[str], Kubectl]
) -> None:
    again = make(marina, home)
    assert again["id"] != hello["id"]
    assert again["placement"]["namespace"] != hello["placement"]["namespace"]
    assert "namespace/shop" not in inside_of("hello")("get", "namespaces", "-o", "name").stdout
