"""What a real API server tells of traffic and CPU: a Service by its proxy, metrics.k8s.io by aggregation, and its RBAC.

Nothing runs in pods here. Behind the Service stands a server at this machine's own address, since no API server proxies
to loopback; behind metrics.k8s.io one at 127.0.0.1, which a Service of the type ExternalName may name.
"""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from accounts.services.audit import Actor
from clusters.connection import HostConnection
from clusters.host_rules import METRICS_RULES, traffic_rules
from clusters.lifecycle.ingress_metrics import IngressMetrics
from clusters.lifecycle.signal import SignalKind, SignalState
from clusters.lifecycle.signals import signals_of
from clusters.models import HostCluster, Placement, VirtualCluster
from clusters.services.hosts import host_update
from clusters.services.traffic import beside_note
from dev.waiting import wait_until
from localkube import LocalHost
from localkube.pki import Authority
from provisioning.cpu_reading import cpu_noted
from provisioning.drivers.clients import Clients
from provisioning.drivers.errors import ForbiddenError
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.traffic_reading import traffic_note
from tests.accounts.conftest import world_make
from tests.clusters.making import ready_row
from tests.commands import Kubectl
from tests.provisioning.drivers.conftest import connection_of
from tests.provisioning.hosts import fresh, host_at

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
ROUND = timedelta(minutes=10)
SERVICE, PORT = "controller-metrics", 10254
METRICS = "v1beta1.metrics.k8s.io"


@contextmanager
def answering(
    address: str, answers: dict[str, Callable[[], str]], *, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """A server of these paths, at this address only; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *said: Any) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            answer = answers.get(path)
            content = (answer() if answer else "").encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json" if content[:1] == b"{" else "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def own_address() -> str:
    """The machine's, by which it would speak to others. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("This machine has no address of its own, and API servers proxy to none of loopback.")
        found = str(asked.getsockname()[0])
    if found.startswith("127."):
        pytest.skip("This machine has loopback only, to which no API server proxies.")
    return found


@pytest.fixture(scope="module")
def local(local_hosts) -> LocalHost:
    host: LocalHost = local_hosts["harbor-east"]
    return host


@pytest.fixture(scope="module")
def kubectl(tools, local) -> Kubectl:
    return Kubectl(tools.kubectl, local.kubeconfig)


@pytest.fixture
def namespace(kubectl) -> Iterator[str]:
    name = f"measures-{uuid4().hex[:8]}"
    apply(kubectl, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def apply(kubectl: Kubectl, *documents: dict[str, Any]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
    kubectl("apply", "-f", "-", stdin=json.dumps(listed))


@pytest.fixture
def marina(local, kubectl, namespace) -> HostConnection:
    """A service account with the rights of the manifest's rules for both, and nothing else."""
    rules = [*traffic_rules(IngressMetrics(service=f"{namespace}/{SERVICE}:{PORT}")), *METRICS_RULES]
    meta = {"name": "marina", "namespace": namespace}
    group = "rbac.authorization.k8s.io"
    apply(
        kubectl,
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": meta,
            "rules": [rule.as_manifest() for rule in rules],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "marina"},
            "subjects": [{"kind": "ServiceAccount", **meta}],
        },
    )
    admin = connection_of(local.kubeconfig)
    with connection_open(admin, target="host of the test") as api:
        token, _ = KubeClient(api).token_request(namespace, "marina", 3600)
    return HostConnection(server=admin.server, ca_pem=admin.ca_pem, token=token)


@pytest.fixture
def host(db, marina, settings) -> HostCluster:
    settings.CHANGE_SURVEY_SECONDS = ROUND.total_seconds()
    return host_at(marina)


# --- traffic ----------------------------------------------------------------------------------------------------------


def published(kubectl: Kubectl, namespace: str, address: str, port: int) -> None:
    """A Service with one pod, which nobody starts and which has this address: API servers proxy to pods only."""
    meta = {"name": SERVICE, "namespace": namespace}
    pod = {"containers": [{"name": "x", "image": "example.com/none"}], "schedulerName": "nobody"}
    apply(
        kubectl, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {**pod, "serviceAccountName": "marina"}}
    )
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    kubectl(
        "patch", "pod", SERVICE, "-n", namespace, "--subresource", "status", "--type", "merge", "-p", json.dumps(status)
    )
    ports = [{"port": PORT, "targetPort": port, "protocol": "TCP"}]
    behind = [{"ip": address, "targetRef": {"kind": "Pod", **meta}}]
    apply(
        kubectl,
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": ports}},
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": meta,
            "subsets": [{"addresses": behind, "ports": [{"port": port}]}],
        },
    )


@pytest.fixture
def requests(kubectl, namespace, marina) -> Iterator[dict[str, int]]:
    """What the ingress controller of the host has counted, by namespace."""
    counted = {"marina-hello": 5, "kube-system": 1}

    def text() -> str:
        return "".join(
            f'nginx_ingress_controller_requests{{controller_pod="a",namespace="{name}",status="200"}} {count}\n'
            for name, count in counted.items()
        )

    address = own_address()
    with answering(address, {"/metrics": text}) as port:
        published(kubectl, namespace, address, port)
        yield counted


def test_traffic_is_read_through_a_real_api_server_with_the_manifests_rights(host, namespace, requests):
    cluster = ready_row(world_make(), host)
    where = {"service": f"{namespace}/{SERVICE}:{PORT}"}
    host_update(host=host, actor=Actor(user=None, name="test"), ingress_metrics=where)
    beside_note(placement=Placement.objects.get(virtual_cluster=cluster), beside=[])
    kube = Clients().kube(fresh(host), lambda: None)

    def told(rounds: int) -> Any:
        traffic_note(fresh(host), kube=kube, now=START + rounds * ROUND)
        row = VirtualCluster.objects.get(pk=cluster.pk)
        found = signals_of([row], now=START + rounds * ROUND)[row.pk]
        return next(each for each in found if each.kind is SignalKind.INGRESS)

    # the API server learns of an address a moment after it was written
    wait_until(lambda: told(0).who, seconds=30, what="The counters could not be read")
    known = told(1)
    assert (known.state, known.last_used_at) == (SignalState.KNOWN, START), known
    requests["marina-hello"] += 3
    used = told(2)
    assert (used.last_used_at, used.who) == (START + 2 * ROUND, "3 requests through its ingresses")


def test_the_rights_reach_no_other_port_and_no_other_service(host, kubectl, namespace, requests):
    kube = Clients().kube(fresh(host), lambda: None)
    for name in (f"{SERVICE}:80", SERVICE, "other:80"):
        with pytest.raises(ForbiddenError):
            kube.service_read(name, namespace, "/metrics")
    with pytest.raises(ForbiddenError):
        kube.endpoints_ready("other", namespace)


# --- CPU --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def usage(kubectl, namespace, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the host's metrics.k8s.io says of pods, by name."""
    used: dict[str, str] = {}
    group, kind = "metrics.k8s.io/v1beta1", "PodMetrics"

    def served() -> str:
        resource = {"name": "pods", "namespaced": True, "kind": kind, "verbs": ["get", "list"]}
        return json.dumps({"kind": "APIResourceList", "groupVersion": group, "resources": [resource]})

    def pods() -> str:
        items = [
            {"metadata": {"name": name, "namespace": namespace}, "containers": [{"name": "x", "usage": {"cpu": cpu}}]}
            for name, cpu in used.items()
        ]
        return json.dumps({"kind": f"{kind}List", "apiVersion": group, "metadata": {}, "items": items})

    certificate, key = Authority(tmp_path, "metrics").issue_files("server", "metrics", hosts=["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    answers = {f"/apis/{group}": served, f"/apis/{group}/namespaces/{namespace}/pods": pods}
    with answering("127.0.0.1", answers, tls=context) as port:
        apply(kubectl, *aggregated(namespace, port))
        try:
            kubectl("wait", "--for=condition=Available", f"apiservice/{METRICS}", "--timeout=60s")
            yield used
        finally:
            kubectl("delete", "apiservice", METRICS)


def aggregated(namespace: str, port: int) -> Iterator[dict[str, Any]]:
    meta = {"name": "metrics", "namespace": namespace}
    spec = {"type": "ExternalName", "externalName": "127.0.0.1", "ports": [{"port": port}]}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    yield {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": METRICS},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {**meta, "port": port},
        },
    }


@pytest.fixture
def noted(host, namespace) -> Callable[[], Any]:
    """The signal of CPU of a cluster whose pods are in the namespace."""
    cluster = ready_row(world_make(), host)
    placement = Placement.objects.select_related("virtual_cluster", "host").get(virtual_cluster=cluster)
    placement.namespace = namespace
    kube = Clients().kube(fresh(host), lambda: None)
    return lambda: cpu_noted(placement, kube, now=START)


def test_cpu_is_read_from_an_aggregated_api_with_the_manifests_rights(noted, usage, settings):
    settings.IDLE_CPU_MILLICORES = 50
    assert noted().state == SignalState.UNKNOWN  # nothing measured yet
    usage["hello-0"] = "43012345n"
    idle = noted()
    assert (idle.state, idle.last_used_at) == (SignalState.KNOWN, None), idle
    usage["web"] = "120m"
    used = noted()
    assert (used.last_used_at, used.who) == (START, "164 millicores in all its pods")


def test_a_host_that_serves_no_metrics_is_no_signal(noted):
    assert noted().state == SignalState.UNSUPPORTED


def test_an_aggregated_api_whose_server_is_gone_is_unknown(kubectl, namespace, noted):
    with socket.socket() as nobody:  # bound and not listening: whoever dials it is refused
        nobody.bind(("127.0.0.1", 0))
        apply(kubectl, *aggregated(namespace, nobody.getsockname()[1]))
        try:
            wait_until(lambda: noted().state == SignalState.UNKNOWN, seconds=60, what="It was not known to be gone")
            assert noted().reason
        finally:
            kubectl("delete", "apiservice", METRICS)
