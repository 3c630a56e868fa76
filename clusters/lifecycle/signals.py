"""What is known of the use of virtual clusters, as decisions and people read it: by three queries, however many.

Rows say what was found. What it means that a gateway does not write, that a host is silent or a cluster asleep, is
said here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from clusters.gateway_address import gateway_base
from clusters.lifecycle.signal import Signal, SignalKind, SignalState
from clusters.models import (
    Breaker,
    IdleSignal,
    Placement,
    PlacementRole,
    SignalSource,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.signal_sources import BOOKS, gateways_written_until

NOT_REPORTED: Final = (
    "Its host does not tell what comes through ingresses (`marina host update HOST --ingress-metrics`). Where only "
    "that shows use, set a policy that never deletes, or annotate something inside."
)
NO_GATEWAY: Final = "There is no gateway for this cluster (GATEWAY_URL), so nobody comes through one."


@dataclass(frozen=True)
class _Known:
    """All that was read, for one cluster after the other."""

    rows: Mapping[tuple[UUID, str], IdleSignal]
    placements: Mapping[UUID, Placement]
    gateways_until: datetime | None
    books_until: datetime | None
    now: datetime


def signals_of(clusters: Iterable[VirtualCluster], *, now: datetime | None = None) -> dict[UUID, tuple[Signal, ...]]:
    """Every kind of signal of each cluster, in the order of SignalKind.

    `now` is when it is asked: until then nothing can have happened in a cluster that is asleep.
    """
    every = list(clusters)
    ids = [cluster.pk for cluster in every]
    rows = IdleSignal.objects.filter(virtual_cluster__in=ids)
    placements = Placement.objects.filter(virtual_cluster__in=ids, role=PlacementRole.ACTIVE).select_related("host")
    sources = dict(SignalSource.objects.values_list("name", "written_until"))
    known = _Known(
        rows={(row.virtual_cluster_id, row.kind): row for row in rows},
        placements={placement.virtual_cluster_id: placement for placement in placements},
        gateways_until=gateways_written_until(sources),
        books_until=sources.get(BOOKS),
        now=now or timezone.now(),
    )
    return {cluster.pk: tuple(_READ[kind](cluster, kind, known) for kind in SignalKind) for cluster in every}


def _stored(cluster: VirtualCluster, kind: SignalKind, known: _Known) -> Signal:
    row = known.rows.get((cluster.pk, kind.value))
    if row is None:
        return Signal(kind, None, "", None, SignalState.UNKNOWN, "Nobody has looked yet.")
    return Signal(kind, row.last_used_at, row.who, row.observed_at, SignalState(row.state), row.reason)


# --- what is in the books of Marina itself ----------------------------------------------------------------------------


def _gateway(cluster: VirtualCluster, kind: SignalKind, known: _Known) -> Signal:
    signal = _of_books(cluster, kind, known, until=known.gateways_until)
    placement = known.placements.get(cluster.pk)
    if not gateway_base(placement.host.region if placement else cluster.wanted_region):
        return replace(signal, observed_at=None, state=SignalState.UNSUPPORTED, reason=NO_GATEWAY)
    if known.gateways_until is None:
        return replace(signal, observed_at=None, state=SignalState.UNKNOWN, reason="No gateway has ever written.")
    return signal


def _credential(cluster: VirtualCluster, kind: SignalKind, known: _Known) -> Signal:
    return _of_books(cluster, kind, known, until=known.books_until)


def _of_books(cluster: VirtualCluster, kind: SignalKind, known: _Known, *, until: datetime | None) -> Signal:
    """No row means that it never was: the books are complete as far as they are written."""
    row = known.rows.get((cluster.pk, kind.value))
    used, who = (row.last_used_at, row.who) if row else (None, "")
    if known.books_until is None or until is None:
        return Signal(kind, used, who, None, SignalState.UNKNOWN, "The books have never been gathered.")
    return Signal(kind, used, who, min(known.books_until, until), SignalState.KNOWN, "")


# --- what somebody has to look at -------------------------------------------------------------------------------------


def _looked_at(cluster: VirtualCluster, kind: SignalKind, known: _Known) -> Signal:
    signal = _stored(cluster, kind, known)
    if signal.state == SignalState.UNSUPPORTED:
        return signal
    placement = known.placements.get(cluster.pk)
    if placement is None:
        return replace(signal, state=SignalState.UNKNOWN, reason="It is placed on no host.")
    host = placement.host
    if host.breaker == Breaker.OPEN:
        since = f"{host.answered_at:%Y-%m-%d %H:%M} UTC" if host.answered_at else "long"
        silent = f"Its host {host.name} has not answered since {since}."
        return replace(signal, state=SignalState.UNKNOWN, reason=silent)
    return _asleep(signal, cluster, known.now) if cluster.phase == VirtualClusterPhase.ASLEEP else signal


def _asleep(signal: Signal, cluster: VirtualCluster, now: datetime) -> Signal:
    """Nothing can happen inside. What was not looked at before it fell asleep counts as use until then."""
    since = cluster.asleep_since
    if since is None:
        return signal
    asleep = replace(signal, observed_at=now, state=SignalState.KNOWN, reason="")
    seen = signal.observed_at
    if seen is not None and since - seen <= timedelta(seconds=2 * settings.CHANGE_SURVEY_SECONDS):
        return asleep
    if signal.last_used_at is not None and signal.last_used_at >= since:
        return asleep
    return replace(asleep, last_used_at=since, who="not looked at before it fell asleep")


def _ingress(cluster: VirtualCluster, kind: SignalKind, known: _Known) -> Signal:
    """Unsupported where the host names no ingress controller, and nobody else who learns of traffic wrote a row."""
    placement = known.placements.get(cluster.pk)
    reported = placement is not None and bool(placement.host.ingress_metrics)
    if not reported and (cluster.pk, kind.value) not in known.rows:
        return Signal(kind, None, "", None, SignalState.UNSUPPORTED, NOT_REPORTED)
    return _looked_at(cluster, kind, known)


_READ: Final[Mapping[SignalKind, Callable[[VirtualCluster, SignalKind, _Known], Signal]]] = {
    SignalKind.GATEWAY_PERSON: _gateway,
    SignalKind.GATEWAY_CI: _gateway,
    SignalKind.CREDENTIAL: _credential,
    SignalKind.CHANGE: _looked_at,
    SignalKind.CPU: _looked_at,
    SignalKind.INGRESS: _ingress,
}
