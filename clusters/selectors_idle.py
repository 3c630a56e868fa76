"""Reading what is known of a cluster's use, for people."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from clusters.lifecycle.managers import PEOPLES_TOOLS, SYSTEM, UNKNOWN_REASON, told_of
from clusters.lifecycle.required_signals import required_kinds
from clusters.lifecycle.signal import Signal, SignalState
from clusters.lifecycle.signals import signals_of
from clusters.models import KnownWriter, Placement, PlacementRole, Verdict, VirtualCluster


@dataclass(frozen=True)
class IdleTold:
    """All signals of a cluster, and what they come to together."""

    signals: tuple[Signal, ...]
    required: frozenset[str]

    @property
    def last(self) -> Signal | None:
        """The newest use that any signal tells."""
        used = [signal for signal in self.signals if signal.last_used_at is not None]
        return max(used, key=_used_at, default=None)

    @property
    def missing(self) -> list[Signal]:
        """Required ones that are not known: without them nobody says that the cluster is idle."""
        return [each for each in self.signals if each.kind in self.required and each.state != SignalState.KNOWN]


def _used_at(signal: Signal) -> datetime:
    return signal.last_used_at or datetime.min


def idle_told(cluster: VirtualCluster, *, now: datetime) -> IdleTold:
    """What is known of the cluster's use."""
    placement = Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).select_related("host")
    found = placement.first()
    return IdleTold(
        signals=signals_of([cluster], now=now)[cluster.pk],
        required=frozenset(required_kinds(found.host.required_signals if found else {})),
    )


def known_writers_list(cluster: VirtualCluster) -> QuerySet[KnownWriter]:
    """Who writes inside it."""
    return KnownWriter.objects.filter(virtual_cluster=cluster).select_related("corrected_by")


def verdict_reason(writer: KnownWriter) -> str:
    """Why what was learnt of a writer was learnt, in a sentence."""
    if writer.verdict == Verdict.SYSTEM:
        return told_of(writer.manager, SYSTEM)
    if writer.verdict == Verdict.STEADY:
        return "It writes at a steady interval, as programs do."
    if writer.verdict == Verdict.INSIDE:
        return UNKNOWN_REASON
    if told := told_of(writer.manager, PEOPLES_TOOLS):
        return told
    return f"The gateway saw {'a person' if writer.verdict == Verdict.PERSON else 'a service account'} use it."
