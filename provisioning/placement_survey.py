"""Whether a host takes the workloads of a virtual cluster that is placed there: the condition WorkloadsAccepted."""

from datetime import datetime, timedelta

from django.db import transaction

from clusters.models import (
    Condition,
    HostCluster,
    Placement,
    PlacementRole,
    VirtualCluster,
    VirtualClusterPhase,
    condition_set,
)
from provisioning.drivers.calls import no_effect_check
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import EVENT, POD, Json
from provisioning.drivers.kube import KubeClient, event_time
from provisioning.engine.errors import TemporaryError

REFUSED_REASONS = ("FailedCreate", "SyncError")
QUOTED_MOST = 3
REFUSED_LATELY = timedelta(minutes=20)
"""Whoever is refused tries again within 17 minutes (the longest delay of vcluster's syncer): what is older is over."""


def placements_settled(host: HostCluster) -> list[Placement]:
    """Those on the host whose virtual cluster is at work, or asleep."""
    placements = Placement.objects.filter(host=host, role=PlacementRole.ACTIVE)
    return list(
        placements.filter(virtual_cluster__phase__in=(VirtualClusterPhase.READY, VirtualClusterPhase.ASLEEP))
        .select_related("virtual_cluster", "host__credential")
        .order_by("pk")
    )


def placement_answers(placement: Placement, *, clients: Clients) -> bool:
    """Whether its virtual API calls itself ready."""
    try:
        with clients.virtual(placement, no_effect_check) as virtual:
            return virtual.readyz()
    except TemporaryError:
        return False


def placement_survey(placement: Placement, *, kube: KubeClient, clients: Clients, now: datetime) -> None:
    """What the host refuses is told by events only: on its side for the control plane, inside for workloads.

    Raises StepErrors where either of both cannot be asked.
    """
    found = _refusals(kube.list(EVENT, placement.namespace, field_selector="type=Warning"), now)
    with clients.virtual(placement, no_effect_check) as virtual:
        found += _still_waiting(_refusals(virtual.list(EVENT, field_selector="type=Warning"), now), virtual)
    with transaction.atomic():
        cluster = VirtualCluster.objects.select_for_update(of=("self",)).get(pk=placement.virtual_cluster_id)
        conditions = condition_set(cluster.conditions, _accepted(found), now=now)
        if sorted(conditions, key=_type) != sorted(cluster.conditions, key=_type):
            cluster.conditions = conditions
            cluster.save(update_fields=["conditions"])


def _type(condition: Json) -> str:
    return str(condition["type"])


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
