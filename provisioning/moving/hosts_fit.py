"""Whether the host can take the cluster, and what is different there: by what Marina knows of both."""

from collections.abc import Iterator

from clusters.chart_wish import HostCapabilities
from clusters.gateway_address import gateway_url_of
from clusters.models import Exposure, HostCluster, Placement, VirtualCluster
from clusters.move_target import MoveRefusal, MoveTarget
from clusters.preflight import Finding, Weight
from clusters.sizes import Requests
from provisioning.moving.not_moving import note

_MIB = 1024**2
_KINDS = {"ingresses": "Ingresses", "networkPolicies": "NetworkPolicies", "podDisruptionBudgets": "disruption budgets"}


def blocking(refusal: MoveRefusal) -> Finding:
    """As it stands in the report."""
    return Finding(weight=Weight.BLOCKS, code=refusal.code, about=refusal.about, message=refusal.why, hint=refusal.hint)


def hosts_fit(cluster: VirtualCluster, source: Placement, found: MoveTarget, target: HostCluster) -> Iterator[Finding]:
    """For a target that nothing in the database refuses."""
    yield from _permitted(target)
    yield from _room(source, found)
    yield from _address(cluster, source, target)
    yield from _synced(source, target)
    if source.syncs_priority_classes:
        told = f"Its PriorityClasses are made on {target.name} as well; those on {source.host.name} go with what stays."
        yield note("priority-classes", source.host.name, told)


def _permitted(host: HostCluster) -> Iterator[Finding]:
    said = next((each for each in host.conditions if each["type"] == "Authorized"), None)
    if said is not None and said["status"] == "False":
        yield Finding(
            weight=Weight.BLOCKS,
            code="host-permissions",
            about=host.name,
            message=f"{host.name}: {said['message']}",
            hint=f"Whoever looks after it finds what is missing by: marina host get {host.name}.",
        )


def _room(source: Placement, found: MoveTarget) -> Iterator[Finding]:
    """For all that runs of it where it is, by the last survey there; its own pods alone were weighed already."""
    needs = running_requests(source)
    if found.room is None or found.host is None or needs is None:
        return
    if lacks := found.room.lacks(needs):
        yield Finding(
            weight=Weight.BLOCKS,
            code="host-full",
            about=found.host.name,
            message=f"{found.host.name} has no room for what runs in it: {lacks}",
            hint="Move it elsewhere, or let it ask for less.",
        )


def running_requests(source: Placement) -> Requests | None:
    """What all that runs of it asks for where it is, by the last survey there; None where that did not see it."""
    asked = (source.host.capacity.get("requested_by_namespace") or {}).get(source.namespace)
    if not isinstance(asked, dict):
        return None
    return Requests(
        cpu=int(asked.get("cpu") or 0),
        memory=int(asked.get("memory") or 0) // _MIB,
        pods=int(asked.get("pods") or 0),
    )


def _address(cluster: VirtualCluster, source: Placement, target: HostCluster) -> Iterator[Finding]:
    stays = bool(gateway_url_of(cluster))
    exposure = cluster.exposure or target.exposure
    if source.endpoint and exposure == Exposure.NONE:
        told = f"{target.name} publishes no address of its API; its present one ({source.endpoint}) ends."
    elif source.endpoint:
        told = f"The address of its API past the gateway ({source.endpoint}) ends; {target.name} gives another one."
    else:
        return
    yield note("address", source.host.name, told + (" The gateway's address stays as it is." if stays else ""))


def _synced(source: Placement, target: HostCluster) -> Iterator[Finding]:
    before = HostCapabilities.of_host(source.host.api_groups, source.host.values).synced()
    after = HostCapabilities.of_host(target.api_groups, target.values).synced()
    lost = [_KINDS[key] for key, was in before.items() if was and not after[key]]
    if lost:
        told = f"{target.name} does not take {', '.join(lost)} from virtual clusters: they stay inside, without effect."
        yield note("not-synced", target.name, told)
