"""Looks into Ready virtual clusters, one after the other, for who wrote there; and how much CPU their pods take.

Whose turn it is stands in the row of the signal of change, claimed in the database as hosts are (provisioning/survey).
Of one that is asleep nobody asks: nothing happens inside.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from clusters.lifecycle.signal import SignalKind, SignalState
from clusters.models import (
    Breaker,
    HostPhase,
    IdleSignal,
    Placement,
    PlacementRole,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.idle_signals import Noted, idle_signals_write, unlooked_note
from clusters.services.known_writers import writers_note
from clusters.services.serving import serving_note
from provisioning.change_reading import ChangeReading
from provisioning.cpu_reading import cpu_noted
from provisioning.drivers.calls import no_effect_check
from provisioning.drivers.clients import Clients
from provisioning.engine.errors import StepError
from provisioning.serving_reading import serving_read
from provisioning.traffic_reading import beside_read
from provisioning.turns import turn_take

log = structlog.get_logger(__name__)

AT_ONCE: Final = 2
"""In one process, so that large clusters never take all of its threads."""
_NEW_AT_ONCE: Final = 1000

_room = BoundedSemaphore(AT_ONCE)


def changes_survey(
    *, clients: Clients, clock: Callable[[], datetime], stopping: Callable[[], bool] = lambda: False
) -> int:
    """Looks at the clusters that are due, the longest unseen first, until TURN_SECONDS are over; says how many.

    From when `stopping` says so no other is begun. Does nothing where AT_ONCE are at work in this process.
    """

    def begin() -> None:
        unlooked_note(clusters=_never_looked_at(), kind=SignalKind.CHANGE)

    def look(placement: Placement) -> None:
        cluster_survey(placement, clients=clients, now=clock())

    return turn_take(begin=begin, claim=change_claim, look=look, stopping=stopping, room=_room)


def change_claim() -> Placement | None:
    """Where the cluster runs that waits longest, if one is due; nobody else gets it before CHANGE_SURVEY_SECONDS."""
    seconds = timedelta(seconds=settings.CHANGE_SURVEY_SECONDS)
    due = Q(looked_at__isnull=True) | Q(looked_at__lte=Now() - seconds)
    with transaction.atomic():
        rows = IdleSignal.objects.filter(due, Exists(_placements(OuterRef("virtual_cluster"))), kind=SignalKind.CHANGE)
        rows = rows.select_for_update(skip_locked=True, no_key=True)
        row = rows.order_by(F("looked_at").asc(nulls_first=True), "pk").first()
        if row is None:
            return None
        IdleSignal.objects.filter(pk=row.pk).update(looked_at=Now())
        found = _placements(row.virtual_cluster_id)
        return found.select_related("virtual_cluster", "host__credential").first()


def _placements(cluster: UUID | OuterRef) -> QuerySet[Placement]:
    """Of a cluster that is Ready, on a host that answers."""
    return Placement.objects.filter(
        virtual_cluster=cluster,
        role=PlacementRole.ACTIVE,
        virtual_cluster__phase=VirtualClusterPhase.READY,
        host__phase=HostPhase.CONNECTED,
    ).exclude(host__breaker=Breaker.OPEN)


def _never_looked_at() -> list[UUID]:
    row = IdleSignal.objects.filter(virtual_cluster=OuterRef("pk"), kind=SignalKind.CHANGE)
    new = VirtualCluster.objects.filter(~Exists(row), phase=VirtualClusterPhase.READY)
    return list(new.order_by("pk").values_list("pk", flat=True)[:_NEW_AT_ONCE])


def cluster_survey(placement: Placement, *, clients: Clients, now: datetime) -> None:
    """Notes who wrote inside and what its pods take. Raises nothing: what could not be seen is told as unknown."""
    try:
        kube = clients.kube(placement.host, no_effect_check)
        idle_signals_write(noted=[cpu_noted(placement, kube, now=now)])
        serving = serving_read(namespace=placement.namespace, release=placement.release, kube=kube)
        serving_note(virtual_cluster_id=placement.virtual_cluster_id, serving=serving)
        beside_read(placement, kube=kube)
        with clients.virtual(placement, no_effect_check) as virtual:
            written = ChangeReading(virtual, most=settings.CHANGE_SURVEY_OBJECTS).writers()
    except StepError as error:
        log.info("a cluster could not be looked through", placement=str(placement.pk), reason=str(error))
        _unknown_note(placement, str(error))
        return
    writers_note(virtual_cluster_id=placement.virtual_cluster_id, written=written, observed_at=now)


def _unknown_note(placement: Placement, reason: str) -> None:
    """Until when nothing happened stays as it was."""
    noted = Noted(
        cluster_id=placement.virtual_cluster_id,
        kind=SignalKind.CHANGE,
        state=SignalState.UNKNOWN,
        reason=reason,
    )
    idle_signals_write(noted=[noted])
