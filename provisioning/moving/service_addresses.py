"""Addresses of the present host that Services name, on the way to another one: carried or not, as was chosen. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clusters.moving import ADDRESSES, ADDRESSES_REMOVE
from clusters.preflight import CHOICES
from provisioning.drivers.kinds import SERVICE, Json
from provisioning.exports.digests import title_of

NODE_PORT: Final = "NodePort"
BALANCER: Final = "LoadBalancer"
OF_HOST: Final = ("externalIPs", "loadBalancerIP")
_POLICY: Final = "externalTrafficPolicy"
"""An API server sets it for a Service that is reached from outside, and refuses it for any other."""


@dataclass(frozen=True, kw_only=True)
class ServicesWay:
    """`addresses_removed`: copies name no addresses of the present host."""

    addresses_removed: bool = False

    def carried(self, obj: Json) -> Json:
        """As it is carried; the object itself where nothing of it is changed."""
        if not self.addresses_removed or title_of(obj) != SERVICE.kind or not addresses_of(obj):
            return obj
        outside = obj["spec"].get("type") in (NODE_PORT, BALANCER)
        removed = OF_HOST if outside else (*OF_HOST, _POLICY)
        return {**obj, "spec": {key: value for key, value in obj["spec"].items() if key not in removed}}


def services_way(params: Mapping[str, Any]) -> ServicesWay:
    """What was chosen, in the params of a move."""
    return ServicesWay(addresses_removed=params.get(CHOICES, {}).get(ADDRESSES) == ADDRESSES_REMOVE)


def node_ports(obj: Json) -> list[int]:
    """Those of a Service of type NodePort. One of type LoadBalancer has its own for itself."""
    spec = obj.get("spec") or {}
    if title_of(obj) != SERVICE.kind or spec.get("type") != NODE_PORT:
        return []
    return [int(port["nodePort"]) for port in spec.get("ports") or [] if port.get("nodePort")]


def addresses_of(obj: Json) -> list[str]:
    """Of the present host, that a Service names."""
    spec = obj.get("spec") or {}
    return [*(spec.get("externalIPs") or []), *filter(None, [spec.get("loadBalancerIP")])]
