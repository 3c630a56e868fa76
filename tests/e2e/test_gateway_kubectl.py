"""kubectl and helm through the gateway, as people use them on any cluster."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack import Stack
from localkube import Tools
from tests.commands import Kubectl
from tests.e2e.api import Api, Json
from tests.e2e.gate import Gate


@pytest.fixture(scope="module")
def gate(stack: Stack) -> Gate:
    return Gate.of(stack)


@pytest.fixture(scope="module")
def inside(gate: Gate, developer: Api, shared: Json, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """kubectl on the shared cluster, as its developer, through the gateway."""
    folder = tmp_path_factory.mktemp("gate")
    return Kubectl(tools.kubectl, gate.kubeconfig(folder, shared, developer.token))


@pytest.fixture
def namespace(inside: Kubectl) -> Iterator[str]:
    name = f"gate-{secrets.token_hex(3)}"
    inside("create", "namespace", name)
    yield name
    inside("delete", "namespace", name, "--wait=false")


def test_the_api_server_sees_the_person_and_their_level(inside: Kubectl, developer: Api) -> None:
    me = inside("auth", "whoami", "-o", "json").json["status"]["userInfo"]
    assert me["username"].startswith("marina:user:")
    assert "marina:level:admin" in me["groups"]
    assert me["extra"]["marina.dev/handle"] == [developer.handle]
    assert inside("auth", "can-i", "*", "*", "--all-namespaces").stdout.strip() == "yes"


def test_objects_are_made_read_watched_changed_and_deleted(inside: Kubectl, namespace: str) -> None:
    inside("-n", namespace, "create", "configmap", "a", "--from-literal=k=1")
    assert inside.get("-n", namespace, "configmap", "a")["data"] == {"k": "1"}
    inside("-n", namespace, "patch", "configmap", "a", "--type=merge", "-p", '{"data":{"k":"2"}}')
    assert inside.get("-n", namespace, "configmap", "a")["data"] == {"k": "2"}
    inside("-n", namespace, "create", "deployment", "web", "--image=registry.k8s.io/pause:3.10", "--replicas=2")
    inside("-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
    inside("-n", namespace, "wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    inside("-n", namespace, "delete", "configmap", "a")
    assert "NotFound" in inside("-n", namespace, "get", "configmap", "a", exit_code=1).stderr


def test_an_object_that_kubernetes_would_not_read_is_refused_in_its_words(
    inside: Kubectl, namespace: str, tmp_path: Path
) -> None:
    file = tmp_path / "large"
    file.write_text("x" * 4_000_000)
    told = inside("-n", namespace, "create", "configmap", "large", f"--from-file=data={file}", exit_code=1).stderr
    assert "Request entity too large: limit is 3145728" in told
    file.write_text("x" * 2_000_000)  # passes here, and is too much for a ConfigMap
    told = inside("-n", namespace, "create", "configmap", "large", f"--from-file=data={file}", exit_code=1).stderr
    assert "Too long" in told or "too large" in told


def test_500_objects_are_applied(inside: Kubectl, namespace: str) -> None:
    objects = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"c-{n}", "namespace": namespace},
            "data": {"n": "x" * 200},
        }
        for n in range(500)
    ]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    inside("apply", "--server-side", "-f", "-", stdin=manifest)
    assert (
        len([each for each in inside.get("-n", namespace, "configmaps") if each["metadata"]["name"].startswith("c-")])
        == 500
    )
