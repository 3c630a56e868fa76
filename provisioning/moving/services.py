"""What becomes of Services on their way to another host, by what was chosen: their node ports and addresses. Pure.

A vcluster asks the host for the number of a node port that a Service is made with, so it is that of the host. Of a
Service that is there it takes no other number over: that one has to be made anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from clusters.moving import ADDRESSES, ADDRESSES_REMOVE, NODE_PORTS, PORTS_KEEP
from clusters.preflight import CHOICES
from provisioning.drivers.kinds import SERVICE, Json
from provisioning.exports.digests import title_of
from provisioning.exports.restoring import Planned

NODE_PORT: Final = "NodePort"
OF_HOST: Final = ("externalIPs", "loadBalancerIP")
"""Fields of a Service that name addresses of the host's network."""


@dataclass(frozen=True, kw_only=True)
class ServicesWay:
    """`ports_kept`: the target is asked for the numbers that Services of type NodePort have at the source.

    `addresses_removed`: copies name no addresses of the present host.
    """

    ports_kept: bool = False
    addresses_removed: bool = False

    def carried(self, obj: Json) -> Json:
        """As it is carried; the object itself where nothing of it is changed."""
        if not self.addresses_removed or title_of(obj) != SERVICE.kind or not addresses_of(obj):
            return obj
        return {**obj, "spec": {key: value for key, value in obj["spec"].items() if key not in OF_HOST}}

    def planned(self, planned: Planned) -> Planned:
        """With the numbers that are asked for."""
        return replace(planned, manifest=self.numbered(planned.exported, planned.manifest))

    def numbered(self, obj: Json, sent: Json) -> Json:
        """What is sent of an object, with its numbers."""
        numbers = node_ports(obj) if self.ports_kept else []
        if not any(numbers):
            return sent
        ports = [
            {**port, "nodePort": number} if number else port
            for port, number in zip(sent["spec"]["ports"], numbers, strict=True)
        ]
        return {**sent, "spec": {**sent["spec"], "ports": ports}}

    def anew(self, found: Json, sent: Json) -> bool:
        """Whether what is there cannot be given the numbers that are asked for."""
        return self.ports_kept and not set(filter(None, node_ports(sent))) <= set(node_ports(found))


AS_IT_IS: Final = ServicesWay()


def services_way(params: Mapping[str, Any]) -> ServicesWay:
    """What was chosen, in the params of a move."""
    choices = params.get(CHOICES, {})
    return ServicesWay(
        ports_kept=choices.get(NODE_PORTS) == PORTS_KEEP,
        addresses_removed=choices.get(ADDRESSES) == ADDRESSES_REMOVE,
    )


def node_ports(obj: Json) -> list[int]:
    """By port, 0 where it has none; of a Service of type NodePort. One of type LoadBalancer has its own for itself."""
    spec = obj.get("spec") or {}
    if title_of(obj) != SERVICE.kind or spec.get("type") != NODE_PORT:
        return []
    return [int(port.get("nodePort") or 0) for port in spec.get("ports") or []]


def addresses_of(obj: Json) -> list[str]:
    """Of the present host, that a Service names."""
    spec = obj.get("spec") or {}
    return [*(spec.get("externalIPs") or []), *filter(None, [spec.get("loadBalancerIP")])]
