"""Looking at hosts and at what is placed there, in a queue of their own: what is found becomes conditions."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from clusters.models import (
    Condition,
    HostCluster,
    HostPhase,
    Placement,
    PlacementRole,
    VirtualCluster,
    VirtualClusterPhase,
    condition_set,
)
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import EVENT, POD, Json
from provisioning.drivers.kube import KubeClient, event_time
from provisioning.engine.errors import StepError

log = structlog.get_logger(__name__)

REFUSED_REASONS = ("FailedCreate", "SyncError")
QUOTED_MOST = 3
REFUSED_LATELY = timedelta(minutes=20)
"""Whoever is refused tries again within 17 minutes (the longest delay of vcluster's syncer): what is older is over."""


def hosts_to_probe() -> list[UUID]:
    """The connected hosts."""
    return list(HostCluster.objects.filter(phase=HostPhase.CONNECTED).values_list("pk", flat=True))


def host_probe(host_id: UUID, *, clients: Clients, now: datetime) -> None:
    """Asks a host for its version, then looks at each virtual cluster on it that should be running."""
    host = HostCluster.objects.select_related("credential").filter(pk=host_id, phase=HostPhase.CONNECTED).first()
    if host is None:
        return
    kube = clients.kube(host, _no_effects)
    try:
        version = str(kube.version().get("gitVersion", "")).removeprefix("v")
    except StepError as error:
        _host_condition(
            host, Condition(type="Reachable", status="False", reason="ProbeFailed", message=str(error)), now
        )
        return
    HostCluster.objects.filter(pk=host.pk).exclude(kubernetes_version=version).update(kubernetes_version=version)
    _host_condition(host, Condition(type="Reachable", status="True", reason="Answered", message="It answers."), now)
    for placement in _running(host):
        try:
            _placement_observe(placement, kube, clients, now)
        except StepError as error:
            log.info("a placement could not be looked at", placement=str(placement.pk), reason=str(error))


def _no_effects() -> None:
    """Probes change nothing, so they need no lease."""


def _running(host: HostCluster) -> list[Placement]:
    placements = Placement.objects.filter(host=host, role=PlacementRole.ACTIVE)
    return list(
        placements.filter(virtual_cluster__phase=VirtualClusterPhase.READY).select_related(
            "virtual_cluster", "host__credential"
        )
    )


def _host_condition(host: HostCluster, condition: Condition, now: datetime) -> None:
    with transaction.atomic():
        locked = HostCluster.objects.select_for_update(of=("self",)).filter(pk=host.pk).first()
        if locked is not None:
            locked.conditions = condition_set(locked.conditions, condition, now=now)
            locked.save(update_fields=["conditions"])


def _placement_observe(placement: Placement, kube: KubeClient, clients: Clients, now: datetime) -> None:
    """What the host refuses is told by events only: on its side for the control plane, inside for workloads."""
    found = _refusals(kube.list(EVENT, placement.namespace, field_selector="type=Warning"), now)
    with clients.virtual(placement, _no_effects) as virtual:
        found += _still_waiting(_refusals(virtual.list(EVENT, field_selector="type=Warning"), now), virtual)
    with transaction.atomic():
        cluster = VirtualCluster.objects.select_for_update(of=("self",)).get(pk=placement.virtual_cluster_id)
        cluster.conditions = condition_set(cluster.conditions, _accepted(found), now=now)
        cluster.save(update_fields=["conditions"])


def _refusals(events: list[Json], now: datetime) -> list[Json]:
    since = (now - REFUSED_LATELY).isoformat()
    return [event for event in events if event.get("reason") in REFUSED_REASONS and event_time(event) >= since]


def _still_waiting(refusals: list[Json], virtual: KubeClient) -> list[Json]:
    """Without those about pods that are gone or were taken in the end: an event outlives what it is about."""
    if not refusals:
        return []
    pods = virtual.list(POD, field_selector="status.phase=Pending")
    waiting = {(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in pods}
    about = [event.get("involvedObject", {}) for event in refusals]
    return [
        event
        for event, each in zip(refusals, about, strict=True)
        if each.get("kind") != "Pod" or (each.get("namespace"), each.get("name")) in waiting
    ]


def _accepted(refusals: list[Json]) -> Condition:
    if not refusals:
        return Condition(
            type="WorkloadsAccepted", status="True", reason="NothingRefused", message="The host refuses no pod."
        )
    newest = sorted(refusals, key=event_time, reverse=True)
    quoted = list(dict.fromkeys(_quote(event) for event in newest))[:QUOTED_MOST]
    return Condition(
        type="WorkloadsAccepted", status="False", reason=str(newest[0]["reason"]), message=" ".join(quoted)
    )


def _quote(event: Json) -> str:
    about = event.get("involvedObject", {})
    name = "/".join(part for part in (about.get("namespace"), about.get("name")) if part)
    return f"{about.get('kind', 'Object')} {name}: {event.get('message', '')}"
