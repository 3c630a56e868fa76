"""What a host's nodes can give and what its pods ask for, added up. Pure: from Kubernetes JSON to Marina's own."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from provisioning.drivers.kinds import Json
from provisioning.drivers.quantities import millicores, units

TERMINATED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Amount:
    """CPU in millicores, memory in bytes, and a number of pods."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods)

    def at_least(self, other: "Amount") -> "Amount":
        """The greater of both, each resource for itself."""
        return Amount(max(self.cpu, other.cpu), max(self.memory, other.memory), max(self.pods, other.pods))

    def as_json(self) -> dict[str, int]:
        """As a host's `capacity` holds it."""
        return asdict(self)


def amount_of(resources: Json | None) -> Amount:
    """From a Kubernetes resource list."""
    given = resources or {}
    return Amount(millicores(given.get("cpu")), units(given.get("memory")), units(given.get("pods")))


def node_usable(node: Json) -> bool:
    """Whether pods can be scheduled to it: Ready and not cordoned."""
    conditions = node.get("status", {}).get("conditions") or []
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and not node.get("spec", {}).get("unschedulable")


def nodes_sum(nodes: Iterable[Json]) -> Json:
    """`nodes` and `nodes_ready` are numbers; `allocatable` is what those that take pods have in all."""
    listed = list(nodes)
    usable = [node for node in listed if node_usable(node)]
    allocatable = sum((amount_of(node.get("status", {}).get("allocatable")) for node in usable), Amount())
    return {"nodes": len(listed), "nodes_ready": len(usable), "allocatable": allocatable.as_json()}


def pods_sum(pods: Iterable[Json]) -> Json:
    """`requested` in all and by namespace. What has ended asks for nothing; what waits for a node does."""
    by_namespace: dict[str, Amount] = defaultdict(Amount)
    for pod in pods:
        if pod.get("status", {}).get("phase") not in TERMINATED:
            by_namespace[pod["metadata"]["namespace"]] += pod_requests(pod.get("spec", {}))
    total = sum(by_namespace.values(), Amount())
    return {
        "requested": total.as_json(),
        "requested_by_namespace": {name: by_namespace[name].as_json() for name in sorted(by_namespace)},
    }


def pod_requests(spec: Json) -> Amount:
    """What the scheduler counts for a pod: its containers with its sidecars, or its greediest init container if more.

    Requests of the pod itself, where it has them, take the place of the sum of its containers'.
    """
    sidecars, most = Amount(), Amount()
    for container in spec.get("initContainers") or []:
        asks = _requests(container)
        if container.get("restartPolicy") == "Always":
            sidecars += asks
            most = most.at_least(sidecars)
        else:
            most = most.at_least(sidecars + asks)
    running = sum((_requests(container) for container in spec.get("containers") or []), sidecars)
    whole = _in_place_of(running.at_least(most), (spec.get("resources") or {}).get("requests") or {})
    return whole + amount_of(spec.get("overhead")) + Amount(pods=1)


def _requests(container: Json) -> Amount:
    return amount_of((container.get("resources") or {}).get("requests"))


def _in_place_of(summed: Amount, own: Json) -> Amount:
    said = amount_of(own)
    return Amount(said.cpu if "cpu" in own else summed.cpu, said.memory if "memory" in own else summed.memory)
