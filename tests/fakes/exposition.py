"""What stands behind Services of a fake host and answers GETs through its API: counters in Prometheus' text format."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import unquote

from provisioning.drivers.kinds import ENDPOINTS, SERVICE
from tests.fakes.access import Wish
from tests.fakes.answers import Refusal, not_found
from tests.fakes.cluster import FakeCluster, Request
from tests.fakes.server import Handler


@dataclass
class Expositions:
    """By namespace, and NAME:PORT of the Service: the pods behind it, each with what it says. Asked in turn."""

    cluster: FakeCluster
    pods: dict[tuple[str, str], list[Callable[[], str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _turn: "count[int]" = field(default_factory=count)

    def serve(self, namespace: str, service_port: str, *pods: Callable[[], str]) -> None:
        """Puts these pods behind the Service in place of those before."""
        self.pods[namespace, service_port] = list(pods)
        name = service_port.partition(":")[0]
        addresses = [{"ip": f"10.9.0.{number}"} for number, _ in enumerate(pods, 1)]
        manifest = {"metadata": {"name": name, "namespace": namespace}, "subsets": [{"addresses": addresses}]}
        with self.cluster.lock:
            self.cluster.store.apply(ENDPOINTS, manifest, manager="kube-controller-manager", force=True)

    def answer(self, handler: Handler, request: Request) -> None:
        """GET .../namespaces/NAMESPACE/services/NAME:PORT/proxy/PATH"""
        handler.close_connection = False  # it is an answer like any other
        parts = [unquote(part) for part in request.path.split("/")]
        namespace, service_port = parts[4], parts[6]
        with self.cluster.lock:
            wish = Wish("get", "", "services/proxy", namespace, service_port)
            self.cluster.access.require(request.user, wish, SERVICE)
        self.asked.append(request.path)
        pods = self.pods.get((namespace, service_port))
        if pods is None:
            raise not_found(SERVICE, service_port)
        if not pods:
            raise Refusal(503, "ServiceUnavailable", "no endpoints available for service")
        handler.answer(200, pods[next(self._turn) % len(pods)]().encode())
