"""What somebody wants of the host under a virtual cluster, and whether a host has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clusters.models import Exposure, HostCluster, VirtualCluster
from clusters.sizes import SIZES, Requests


@dataclass(frozen=True, kw_only=True)
class PlacementWish:
    """What decides where a virtual cluster can go. Empty means that any will do; an empty size needs no room."""

    kubernetes_version: str
    exposure: str = ""
    size: str = ""
    replicas: int = 1
    host: HostCluster | None = None
    region: str = ""
    host_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs(self) -> Requests | None:
        """What the host must have free: what its own pods ask for. A quota books nothing."""
        size = SIZES.get(self.size)
        return size.own_requests(replicas=self.replicas) if size else None

    @property
    def grows_to(self) -> Requests | None:
        """What the host should have free: all that its quota will let it ask for."""
        size = SIZES.get(self.size)
        return size.full_requests(replicas=self.replicas) if size else None


def wish_of(cluster: VirtualCluster, *, host: HostCluster | None) -> PlacementWish:
    """What its host must be like; with `host` it must be that one."""
    return PlacementWish(
        kubernetes_version=cluster.kubernetes_version,
        exposure=cluster.exposure,
        size=cluster.size,
        replicas=cluster.replicas,
        host=host,
        region=cluster.wanted_region,
        host_labels=cluster.wanted_host_labels,
    )


@dataclass(frozen=True)
class Refusal:
    """Why a host takes a cluster not, and which field of the wish that hangs on."""

    why: str
    field: str = "host"


def host_unlike(host: HostCluster, wish: PlacementWish) -> Refusal | None:
    """What the host does not have of the wish; None where it has it all."""
    if wish.region and host.region != wish.region:
        where = f"in region {host.region}" if host.region else "in no region"
        return Refusal(f"It is {where}, not in {wish.region}.", field="spec.region")
    for key, value in sorted(wish.host_labels.items()):
        if host.labels.get(key) != value:
            has = f"has {key}={host.labels[key]}" if key in host.labels else f"has no label {key}"
            return Refusal(f"It {has}, not {key}={value}.", field="spec.host_labels")
    if wish.exposure not in ("", Exposure.NONE, host.exposure):
        return Refusal(f"It publishes APIs by exposure {host.exposure}, not {wish.exposure}.", field="spec.exposure")
    return None
