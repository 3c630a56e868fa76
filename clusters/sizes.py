"""How large a virtual cluster may grow: its control plane, and the room for what people run in it.

CPU is counted in millicores, memory and storage in MiB. The quota of a host namespace must hold the control plane too:
where it does not, the host refuses the pod with nothing but an event. And since the quota limits `limits.memory`, every
container needs such a limit: the LimitRange gives one to those that have none, without it the host refuses them
("must specify limits.memory").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

GIB: Final = 1024

COREDNS_CPU, COREDNS_MEMORY, COREDNS_MEMORY_LIMIT = 20, 64, 170
"""The name server that each virtual cluster runs as a pod of its own, by the chart's defaults."""

CONTROL_PLANE_STORAGE = 5 * GIB
"""The claim of each control plane pod, by the chart's default."""


@dataclass(frozen=True, kw_only=True)
class ControlPlaneResources:
    """What one pod of the control plane asks for. No CPU limit: a throttled API server helps nobody."""

    cpu: int
    memory: int
    memory_limit: int

    def as_resources(self) -> dict[str, dict[str, str]]:
        """As a container's `resources`."""
        return {
            "requests": {"cpu": f"{self.cpu}m", "memory": f"{self.memory}Mi"},
            "limits": {"memory": f"{self.memory_limit}Mi"},
        }


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is left for people's own workloads."""

    cpu: int
    memory: int
    memory_limits: int
    storage: int
    claims: int
    pods: int
    services: int
    load_balancers: int
    configs: int
    """Of config maps and of secrets, each. Only those that pods use come to the host."""


@dataclass(frozen=True, kw_only=True)
class Requests:
    """What pods ask for in all."""

    cpu: int
    memory: int
    pods: int


@dataclass(frozen=True, kw_only=True)
class Size:
    """One size that a virtual cluster can have."""

    name: str
    control_plane: ControlPlaneResources
    room: Room
    container_default: Mapping[str, str]
    """The limits of a container that names none."""
    container_default_request: Mapping[str, str]
    """The requests of a container that names none."""

    @property
    def description(self) -> str:
        """For people."""
        room = self.room
        return (
            f"{room.cpu // 1000} CPU cores, {room.memory // GIB} GiB of memory, {room.storage // GIB} GiB of storage "
            f"and {room.pods} pods for what you run in it"
        )

    def own_requests(self, *, replicas: int = 1) -> Requests:
        """Of what runs before anybody runs something in it: CoreDNS and the control plane, awake or asleep."""
        plane, count = self.control_plane, max(replicas, 1)
        return Requests(
            cpu=COREDNS_CPU + count * plane.cpu, memory=COREDNS_MEMORY + count * plane.memory, pods=1 + count
        )

    def full_requests(self, *, replicas: int = 1) -> Requests:
        """With all the CPU and memory that its room holds; of pods those of its own, as its room only limits these."""
        own = self.own_requests(replicas=replicas)
        return Requests(cpu=self.room.cpu + own.cpu, memory=self.room.memory + own.memory, pods=own.pods)

    def quota_hard(self, *, replicas: int = 1) -> dict[str, str]:
        """`spec.hard` of the ResourceQuota: the room, CoreDNS, and the control plane times `replicas` (at least one).

        A sleeping control plane keeps its share, so that it can always wake.
        """
        room, plane, count = self.room, self.control_plane, max(replicas, 1)
        full = self.full_requests(replicas=replicas)
        return {
            "requests.cpu": f"{full.cpu}m",
            "requests.memory": f"{full.memory}Mi",
            "limits.memory": f"{room.memory_limits + COREDNS_MEMORY_LIMIT + count * plane.memory_limit}Mi",
            "requests.storage": f"{room.storage + count * CONTROL_PLANE_STORAGE}Mi",
            **self._counts(count),
        }

    def _counts(self, replicas: int) -> dict[str, str]:
        """How many objects; the additions are those of the release itself, with some to spare."""
        room = self.room
        return {
            "persistentvolumeclaims": str(room.claims + replicas),
            "pods": str(room.pods + 1 + replicas),
            "services": str(room.services + 10),
            "services.loadbalancers": str(room.load_balancers + 1),
            # each port of a load balancer takes a node port as well
            "services.nodeports": str(8 * (room.load_balancers + 1)),
            "configmaps": str(room.configs + 20),
            "secrets": str(room.configs + 40),
        }

    def limit_range_limits(self) -> list[dict[str, object]]:
        """`spec.limits` of the LimitRange that always stands beside the quota."""
        return [
            {
                "type": "Container",
                "default": dict(self.container_default),
                "defaultRequest": dict(self.container_default_request),
            }
        ]


def _defaults(*, memory: int, memory_request: int, cpu_request: int) -> dict[str, Mapping[str, str]]:
    # The disk of a node is shared with other tenants, so a container has an end there too.
    limits = {"memory": f"{memory}Mi", "ephemeral-storage": "4Gi"}
    requests = {"cpu": f"{cpu_request}m", "memory": f"{memory_request}Mi", "ephemeral-storage": "50Mi"}
    return {
        "container_default": MappingProxyType(limits),
        "container_default_request": MappingProxyType(requests),
    }


_SMALL = Size(
    name="small",
    # requests and limit of the chart itself, with which an idle one took 44 millicores and 275 MiB
    control_plane=ControlPlaneResources(cpu=200, memory=256, memory_limit=4 * GIB),
    room=Room(
        cpu=2000,
        memory=4 * GIB,
        memory_limits=8 * GIB,
        storage=20 * GIB,
        claims=5,
        pods=30,
        services=20,
        load_balancers=1,
        configs=100,
    ),
    **_defaults(memory=512, memory_request=64, cpu_request=20),
)
_MEDIUM = Size(
    name="medium",
    control_plane=ControlPlaneResources(cpu=300, memory=512, memory_limit=4 * GIB),
    room=Room(
        cpu=8000,
        memory=16 * GIB,
        memory_limits=32 * GIB,
        storage=100 * GIB,
        claims=20,
        pods=100,
        services=60,
        load_balancers=2,
        configs=300,
    ),
    **_defaults(memory=1 * GIB, memory_request=128, cpu_request=50),
)
_LARGE = Size(
    name="large",
    control_plane=ControlPlaneResources(cpu=500, memory=1 * GIB, memory_limit=8 * GIB),
    room=Room(
        cpu=32000,
        memory=64 * GIB,
        memory_limits=128 * GIB,
        storage=500 * GIB,
        claims=100,
        pods=400,
        services=200,
        load_balancers=5,
        configs=1000,
    ),
    **_defaults(memory=2 * GIB, memory_request=256, cpu_request=100),
)

SIZES: Final[Mapping[str, Size]] = MappingProxyType({size.name: size for size in (_SMALL, _MEDIUM, _LARGE)})
"""Smallest first."""
