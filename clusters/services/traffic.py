"""Keeping what hosts' ingress controllers counted, and the signal of traffic that comes of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from clusters.lifecycle.signal import SignalKind, SignalState
from clusters.lifecycle.traffic import Earlier, traffic_noted
from clusters.models import HostCluster, IdleSignal, Placement, PlacementRole, TrafficReading
from clusters.services.idle_signals import Noted, idle_signals_write


def placements_watched(host: HostCluster) -> dict[str, Placement]:
    """By namespace: those that run there, with their reading before."""
    active = Placement.objects.filter(host=host, role=PlacementRole.ACTIVE).select_related("traffic_reading")
    return {placement.namespace: placement for placement in active}


def traffic_due(placements: Iterable[Placement], *, now: datetime) -> bool:
    """Whether one of them was never read, or not for CHANGE_SURVEY_SECONDS."""
    period = timedelta(seconds=settings.CHANGE_SURVEY_SECONDS)
    earlier = [earlier_of(placement) for placement in placements]
    return any(each is None or each.read_at is None or each.read_at + period <= now for each in earlier)


def earlier_of(placement: Placement) -> Earlier | None:
    """What was read of it before."""
    row = getattr(placement, "traffic_reading", None)
    if row is None:
        return None
    beside = None if row.beside is None else tuple(row.beside)
    return Earlier(read_at=row.read_at, counted=row.counted, beside=beside)


@transaction.atomic
def traffic_write(
    *, placements: Sequence[Placement], counted: Mapping[str, Mapping[str, float]], now: datetime
) -> None:
    """Notes a reading of all who count: by namespace and by who counts it. A fixed number of statements."""
    period = timedelta(seconds=settings.CHANGE_SURVEY_SECONDS)
    noted = [
        traffic_noted(
            cluster_id=each.virtual_cluster_id,
            earlier=earlier_of(each),
            counted=counted.get(each.namespace, {}),
            period=period,
            now=now,
        )
        for each in placements
    ]
    rows = [
        TrafficReading(placement=each, read_at=now, counted=dict(counted.get(each.namespace, {})))
        for each in placements
    ]
    TrafficReading.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["placement"], update_fields=["read_at", "counted"]
    )
    idle_signals_write(noted=noted)


def traffic_unread(*, clusters: Iterable[UUID], reason: str) -> None:
    """Nobody could read it: until when it is known stays as it was."""
    idle_signals_write(
        noted=[
            Noted(cluster_id=each, kind=SignalKind.INGRESS, state=SignalState.UNKNOWN, reason=reason)
            for each in clusters
        ]
    )


def beside_note(*, placement: Placement, beside: Sequence[str]) -> None:
    """Notes what of its traffic the ingress controller does not see. It counts from the next reading on."""
    rows = TrafficReading.objects.filter(placement=placement)
    if not rows.filter(beside=list(beside)).exists():
        TrafficReading.objects.update_or_create(placement=placement, defaults={"beside": list(beside)})


def traffic_forget(*, host: HostCluster, reported: bool) -> None:
    """Another place to read from was named, or none: what was counted at the one before says nothing any more."""
    TrafficReading.objects.filter(placement__host=host).delete()
    state = SignalState.UNKNOWN if reported else SignalState.UNSUPPORTED
    reason = "Another place to read its traffic from was named." if reported else f"{host.name} reports no traffic."
    clusters = Placement.objects.filter(host=host, role=PlacementRole.ACTIVE).values("virtual_cluster")
    rows = IdleSignal.objects.filter(virtual_cluster__in=clusters, kind=SignalKind.INGRESS)
    rows.update(state=state, reason=reason)
