"""A virtual cluster by a host name of its own, `<id>.clusters.<domain>`: for tools that take no path."""

import json
import secrets
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import yaml

from dev.environment import of_the_machine
from dev.stack import CLUSTER_DOMAIN, Stack
from localkube import Tools
from tests.canaries import canary
from tests.commands import Kubectl, program_run
from tests.e2e.api import Api, Json
from tests.e2e.connect_proxy import everything_here
from tests.e2e.gate import Gate, Said
from tests.e2e.test_gateway_access import SIGN

KubectlAt = Callable[[str, str], Kubectl]


@pytest.fixture(scope="module")
def gate(stack: Stack) -> Gate:
    return Gate.of(stack)


@pytest.fixture(scope="module")
def kubectl_at(gate: Gate, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubectlAt]:
    """kubectl at the own host name of the cluster of this id, with this token."""
    folder = tmp_path_factory.mktemp("own-name")
    with everything_here() as proxy:

        def at(cluster_id: str, token: str) -> Kubectl:
            file = gate.kubeconfig(folder, {"id": cluster_id}, token)
            document = yaml.safe_load(file.read_text())
            document["clusters"][0]["cluster"] |= {
                "server": f"https://{own_name(gate, cluster_id)}",
                "proxy-url": proxy,
            }
            file.write_text(yaml.safe_dump(document))
            return Kubectl(tools.kubectl, file)

        yield at


def own_name(gate: Gate, cluster_id: str) -> str:
    return f"{cluster_id}.{CLUSTER_DOMAIN}:{urlsplit(gate.url).port}"


def signed_for(stack: Stack, developer: Api, cluster_id: str) -> str:
    said = stack.manage("shell", "-c", SIGN.format(handle=developer.handle, cluster=cluster_id, seconds=[600]))
    (token,) = [word for word in said.split() if word.startswith("mgt_")]
    return canary(token, "a signed token")


def test_kubectl_works_there_as_anywhere(kubectl_at: KubectlAt, shared: Json, developer: Api) -> None:
    inside = kubectl_at(shared["id"], developer.token)
    name = f"named-{secrets.token_hex(3)}"
    assert inside("auth", "whoami", "-o", "json").json["status"]["userInfo"]["extra"]["marina.dev/handle"] == [
        developer.handle
    ]
    inside("create", "configmap", name, "--from-literal=k=1")
    assert inside.get("configmap", name)["data"] == {"k": "1"}
    inside("wait", f"configmap/{name}", "--for=jsonpath={.data.k}=1", "--timeout=20s")
    inside("delete", "configmap", name)


def test_helm_and_every_other_tool_find_the_api_at_its_root(
    kubectl_at: KubectlAt, shared: Json, developer: Api, tools: Tools
) -> None:
    inside = kubectl_at(shared["id"], developer.token)
    listed = program_run(
        [tools.helm, "--kubeconfig", inside.kubeconfig, "list", "-A", "-o", "json"], of_the_machine(), "", 0
    )
    assert json.loads(listed.stdout) == []


def test_probes_and_version_there_are_the_clusters(kubectl_at: KubectlAt, shared: Json, developer: Api) -> None:
    inside = kubectl_at(shared["id"], developer.token)
    for probe in ("/livez", "/readyz"):
        assert "[+]poststarthook/" in inside("get", "--raw", f"{probe}?verbose").stdout, "an API server's own words"
    assert inside("get", "--raw", "/version").json["gitVersion"].startswith("v1.")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/version"])
def test_nobody_without_a_token_is_told_them(gate: Gate, shared: Json, path: str) -> None:
    assert raw(gate, own_name(gate, shared["id"]), path).status == 401


def test_the_gateways_own_probes_stay_at_its_own_name(gate: Gate) -> None:
    assert raw(gate, urlsplit(gate.url).netloc, "/readyz").body == b"ok"


def test_a_token_of_another_cluster_opens_nothing_there(
    kubectl_at: KubectlAt, gate: Gate, shared: Json, stack: Stack, developer: Api
) -> None:
    own, another = signed_for(stack, developer, shared["id"]), signed_for(stack, developer, str(uuid4()))
    assert kubectl_at(shared["id"], own)("get", "namespaces").exit_code == 0
    refused = kubectl_at(shared["id"], another)("get", "namespaces", exit_code=1)
    assert "another virtual cluster" in refused.stderr
    kubectl_at(str(uuid4()), own)("get", "namespaces", exit_code=1)
    for cluster, token in ((str(uuid4()), own), (shared["id"], another)):
        for path in ("/api/v1/namespaces", "/readyz", "/version"):
            answer = raw(gate, own_name(gate, cluster), path, token=token)
            assert (answer.status, "another virtual cluster" in answer.message) == (401, True)


def test_a_path_there_leads_to_no_other_cluster(gate: Gate, shared: Json, developer: Api) -> None:
    answer = raw(gate, own_name(gate, str(uuid4())), f"/v1/clusters/{shared['id']}/version", token=developer.token)
    assert answer.status == 404
    answer = raw(gate, own_name(gate, shared["id"]), f"/v1/clusters/{shared['id']}/version", token=developer.token)
    assert answer.status == 404, "the cluster's API server has no such path"


def raw(gate: Gate, host: str, path: str, *, token: str = "") -> Said:
    proof = f"Authorization: Bearer {token}\r\n" if token else ""
    return gate.say(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{proof}Connection: close\r\n\r\n".encode())
