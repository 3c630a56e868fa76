"""The level `view` reads, and gets no further by any of the ways that have led from reading to more."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from dev.stack import Stack
from localkube import Tools
from tests.commands import Kubectl
from tests.e2e.api import Api, Json
from tests.e2e.gate import Gate

APISERVICE = {
    "apiVersion": "apiregistration.k8s.io/v1",
    "kind": "APIService",
    "metadata": {"name": "v1.mine.example.com"},
    "spec": {
        "group": "mine.example.com",
        "version": "v1",
        "groupPriorityMinimum": 1,
        "versionPriority": 1,
        "insecureSkipTLSVerify": True,
        "service": {"name": "web", "namespace": "default"},
    },
}
SIGNING = {
    "apiVersion": "certificates.k8s.io/v1",
    "kind": "CertificateSigningRequest",
    "metadata": {"name": "mine"},
    "spec": {"request": "eA==", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
}
WEBHOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "mine"},
    "webhooks": [],
}
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}
FURTHER = {
    "exec": ["exec", "web", "--", "id"],
    "attach": ["attach", "web"],
    "cp": ["cp", "web:/etc/passwd", "/dev/null"],
    "port-forward": ["port-forward", "pod/web", ":80"],
    "debug": ["debug", "web", "--image=busybox", "--container=mine", "--", "id"],
    "a service's proxy": ["get", "--raw", "/api/v1/namespaces/{namespace}/services/web:80/proxy/"],
    "a pod's proxy": ["get", "--raw", "/api/v1/namespaces/{namespace}/pods/https:web:443/proxy/"],
    "a node's proxy": ["get", "--raw", "/api/v1/nodes/{node}/proxy/pods"],
    "a ServiceAccount's token": ["create", "token", "default"],
    "secrets": ["get", "secrets"],
    "one secret": ["get", "secret", "hidden"],
    "a role": ["create", "role", "mine", "--verb=get", "--resource=secrets"],
    "a binding": ["create", "rolebinding", "mine", "--clusterrole=edit", "--serviceaccount=default:default"],
    "a cluster's binding": ["create", "clusterrolebinding", "mine", "--clusterrole=cluster-admin", "--group=all"],
    "Marina's own binding": ["delete", "clusterrolebinding", "marina:level:view"],
    "the level's role": ["label", "clusterrole", "view", "mine=yes"],
    "a pod": ["run", "mine", "--image=busybox"],
    "scale": ["scale", "deployment/web", "--replicas=3"],
    "metrics of the server": ["get", "--raw", "/metrics"],
    "its profiles": ["get", "--raw", "/debug/pprof/"],
}
CREATED = {"an APIService": APISERVICE, "a certificate": SIGNING, "a webhook": WEBHOOK}
ACTING = {
    "as a user": ["--as=system:admin"],
    "as a ServiceAccount": ["--as=system:serviceaccount:kube-system:default"],
    "in a group": ["--as=me", "--as-group=system:masters"],
    "as themselves with more": ["--as=me", "--as-group=marina:level:admin"],
    "with a uid": ["--as=me", "--as-uid=1"],
}


@dataclass(frozen=True)
class Place:
    """A namespace with something in it: what an admin of it sees, and who has the level view."""

    admin: Kubectl
    viewer: Kubectl
    namespace: str
    node: str

    def refused(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl says to the viewer, who gets nothing."""
        answer = self.viewer("--namespace", self.namespace, *arguments, stdin=stdin, exit_code=1)
        assert answer.stdout == "", answer
        return answer.stderr


@pytest.fixture(scope="module")
def place(
    stack: Stack,
    shared: Json,
    developer: Api,
    viewer: Api,
    tools: Tools,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    gate, folder, name = Gate.of(stack), tmp_path_factory.mktemp("levels"), f"levels-{secrets.token_hex(3)}"
    admin = Kubectl(tools.kubectl, gate.kubeconfig(folder, shared, developer.token))
    admin("create", "namespace", name)
    within = ("--namespace", name)
    admin(*within, "create", "deployment", "web", "--image=registry.k8s.io/pause:3.10")
    admin(*within, "create", "service", "clusterip", "web", "--tcp=80:80")
    admin(*within, "create", "secret", "generic", "hidden", "--from-literal=k=v")
    admin(*within, "run", "web", "--image=registry.k8s.io/pause:3.10")
    admin(*within, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    node = admin.get(*within, "pod", "web")["spec"]["nodeName"]
    yield Place(admin, Kubectl(tools.kubectl, gate.kubeconfig(folder, shared, viewer.token)), name, node)
    admin("delete", "namespace", name, "--wait=false")


def test_reading_is_what_the_level_is_for(place: Place) -> None:
    look = place.viewer
    assert look.get("--namespace", place.namespace, "pod", "web")["metadata"]["name"] == "web"
    look("--namespace", place.namespace, "get", "deployments,services,configmaps,events")


@pytest.mark.parametrize("what", FURTHER)
def test_kubectl_gets_no_further(place: Place, what: str) -> None:
    words = [word.format(namespace=place.namespace, node=place.node) for word in FURTHER[what]]
    assert "orbidden" in place.refused(*words)


@pytest.mark.parametrize("what", CREATED)
def test_nothing_is_made_that_would_act_for_them(place: Place, what: str) -> None:
    assert "orbidden" in place.refused("create", "--validate=false", "-f", "-", stdin=json.dumps(CREATED[what]))


def test_nothing_is_evicted(place: Place) -> None:
    path = f"/api/v1/namespaces/{place.namespace}/pods/web/eviction"
    assert "orbidden" in place.refused("create", "--raw", path, "-f", "-", stdin=json.dumps(EVICTION))


@pytest.mark.parametrize("how", ACTING)
def test_nobody_else_is_acted_as(place: Place, how: str) -> None:
    told = place.refused("get", "pods", *ACTING[how])
    assert "takes level admin" in told
    assert "yours is view" in told


@pytest.mark.parametrize(
    "subresource", ["exec?command=id&stdout=1", "attach?stdout=1", "portforward?ports=80", "proxy/"]
)
def test_no_stream_is_opened_by_a_handshake_of_ones_own(
    stack: Stack, place: Place, shared: Json, viewer: Api, subresource: str
) -> None:
    gate = Gate.of(stack)
    upgrade = (
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        *("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol: v5.channel.k8s.io"),
    )
    path = f"/api/v1/namespaces/{place.namespace}/pods/web/{subresource}"
    assert gate.say(gate.head(shared, viewer.token, *upgrade, path=path)).status == 403


def test_nothing_has_changed_after_all_that(place: Place) -> None:
    """Runs last: what a refusal left behind would be seen."""
    within = ("--namespace", place.namespace)
    assert place.admin.get(*within, "deployment", "web")["spec"]["replicas"] == 1
    assert place.admin.get(*within, "roles,rolebindings") == []
    assert {pod["metadata"]["name"].split("-")[0] for pod in place.admin.get(*within, "pods")} == {"web"}
    found = place.admin.get("apiservices,csr,mutatingwebhookconfigurations,clusterrolebindings")
    assert not [each for each in found if "mine" in each["metadata"]["name"]]
    assert "ephemeralContainers" not in place.admin.get(*within, "pod", "web")["spec"]
