"""Surveys: what a host has, what is asked of it, and how what is placed there fares. Slower and rarer than probes.

Whose turn it is stands in `surveyed_at`, claimed in the database; a survey at work moves it on with each placement it
looks at, so that one that takes long is not begun a second time, and one whose worker died is due again soon.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from threading import BoundedSemaphore

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from clusters.models import Breaker, HostCluster, HostMode, HostPhase, Placement
from provisioning.capacity import nodes_sum, pods_sum
from provisioning.drift import drift_note
from provisioning.drivers.calls import no_effect_check
from provisioning.drivers.clients import Clients
from provisioning.drivers.errors import ForbiddenError
from provisioning.drivers.kinds import NODE, POD, Json
from provisioning.drivers.kube import KubeClient
from provisioning.engine.errors import StepError
from provisioning.inventory import inventory_note
from provisioning.placement_survey import placement_answers, placement_survey, placements_settled
from provisioning.traffic_reading import traffic_note
from provisioning.turns import turn_take

log = structlog.get_logger(__name__)

AT_ONCE = 4
"""In one process, so that hosts that answer slowly never take all of its threads."""
AT_WORK = "status.phase!=Succeeded,status.phase!=Failed"

_room = BoundedSemaphore(AT_ONCE)


def hosts_survey(
    *, clients: Clients, clock: Callable[[], datetime], stopping: Callable[[], bool] = lambda: False
) -> int:
    """Surveys the hosts that are due, the longest unseen first, until TURN_SECONDS are over; says how many.

    From when `stopping` says so, no other host and no other placement is begun.

    Does nothing where AT_ONCE surveys are at work in this process: the next message comes soon.
    """

    def look(host: HostCluster) -> None:
        host_survey(host, clients=clients, now=clock(), stopping=stopping)

    return turn_take(claim=survey_claim, look=look, stopping=stopping, room=_room)


def survey_claim() -> HostCluster | None:
    """The host that waits longest for its survey, if one is due; nobody else gets it before SURVEY_SECONDS."""
    due = Q(surveyed_at__isnull=True) | Q(surveyed_at__lte=Now() - timedelta(seconds=settings.SURVEY_SECONDS))
    with transaction.atomic():
        hosts = _surveyable().filter(due).select_for_update(of=("self",), skip_locked=True, no_key=True)
        host = hosts.select_related("credential").order_by(F("surveyed_at").asc(nulls_first=True), "pk").first()
        if host is not None:
            HostCluster.objects.filter(pk=host.pk).update(surveyed_at=Now())
        return host


def _surveyable() -> QuerySet[HostCluster]:
    """Work for a host that does not answer waits, this too."""
    return HostCluster.objects.filter(phase=HostPhase.CONNECTED).exclude(breaker=Breaker.OPEN)


def host_survey(
    host: HostCluster, *, clients: Clients, now: datetime, stopping: Callable[[], bool] = lambda: False
) -> None:
    """Notes the host's capacity, then looks at each virtual cluster on it that is at work or asleep. Raises nothing."""
    try:
        kube = clients.kube(host, no_effect_check)
        capacity = capacity_read(host, kube)
        capacity["left_out"] += _inventory(host, kube, now)
    except StepError as error:
        log.info("a host could not be surveyed", host=host.name, reason=str(error))
        return
    HostCluster.objects.filter(pk=host.pk).exclude(capacity=capacity).update(capacity=capacity)
    traffic_note(host, kube=kube, now=now)
    for placement in placements_settled(host):
        if stopping() or not _goes_on(host):
            return
        # one that vanished or was paused does not answer, which is no reason not to say so
        answers = partial(placement_answers, placement, clients=clients)
        looks = [partial(drift_note, placement=placement, kube=kube, now=now, answers=answers)]
        if not placement.virtual_cluster.sleeping:
            looks.append(partial(placement_survey, placement, kube=kube, clients=clients, now=now))
        for look in looks:
            try:
                look()
            except StepError as error:
                log.info("a placement could not be looked at", placement=str(placement.pk), reason=str(error))


def _inventory(host: HostCluster, kube: KubeClient, now: datetime) -> list[str]:
    """Looks for virtual clusters that Marina did not make. In sentences what the host did not let it see."""
    try:
        inventory_note(host=host, kube=kube, now=now)
    except ForbiddenError as error:
        return [f"virtual clusters that Marina did not make: {error}"]
    except StepError as error:
        log.info("a host was not searched for virtual clusters", host=host.name, reason=str(error))
    return []


def _goes_on(host: HostCluster) -> bool:
    """Keeps the claim. False where the host is gone, or was found silent meanwhile."""
    return bool(_surveyable().filter(pk=host.pk).update(surveyed_at=Now()))


# --- capacity ---------------------------------------------------------------------------------------------------------


def capacity_read(host: HostCluster, kube: KubeClient) -> Json:
    """A host's `capacity`: nodes, nodes_ready, allocatable, requested, requested_by_namespace, left_out.

    Amounts are {cpu: millicores, memory: bytes, pods}. `left_out` tells in sentences what could not be counted; where
    it speaks of nodes these are null. In mode `namespaces` nothing is asked but the pods of the given namespaces.
    """
    left_out: list[str] = []
    nodes = _nodes(host, kube, left_out)
    return {**nodes, **pods_sum(_pods(host, kube, left_out)), "left_out": left_out}


def _nodes(host: HostCluster, kube: KubeClient, left_out: list[str]) -> Json:
    unknown: Json = {"nodes": None, "nodes_ready": None, "allocatable": None}
    if host.mode == HostMode.NAMESPACES:
        left_out.append("nodes: Marina asks nothing outside its namespaces on this host.")
        return unknown
    try:
        return nodes_sum(kube.list(NODE))
    except ForbiddenError as error:
        left_out.append(f"nodes: {error}")
        return unknown


def _pods(host: HostCluster, kube: KubeClient, left_out: list[str]) -> list[Json]:
    if host.mode == HostMode.NAMESPACES:
        return _pods_in(host.namespaces, kube, left_out)
    try:
        return kube.list(POD, field_selector=AT_WORK)
    except ForbiddenError as error:
        left_out.append(f"pods outside Marina's own namespaces: {error}")
        return _pods_in(_own_namespaces(host), kube, left_out)


def _pods_in(namespaces: list[str], kube: KubeClient, left_out: list[str]) -> list[Json]:
    pods: list[Json] = []
    for namespace in namespaces:
        try:
            pods += kube.list(POD, namespace, field_selector=AT_WORK)
        except ForbiddenError as error:
            left_out.append(f"pods in {namespace}: {error}")
    return pods


def _own_namespaces(host: HostCluster) -> list[str]:
    return list(Placement.objects.filter(host=host).order_by("namespace").values_list("namespace", flat=True))
