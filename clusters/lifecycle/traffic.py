"""What two readings of an ingress controller's counters say of the traffic between them: a pure function of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from clusters.lifecycle.signal import SignalKind, SignalState
from clusters.services.idle_signals import Noted

BEFORE: Final = "nobody read the traffic before"
MISSED: Final = "whoever counts began anew while nobody read it"
FIRST: Final = "Its traffic was read once so far; the next reading tells whether any came."
NOT_LOOKED: Final = "Nobody has looked yet whether traffic comes to it beside the ingress controller."


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What was read before. `beside`: what of it the controller does not see; None: nobody has looked."""

    read_at: datetime | None = None
    counted: Mapping[str, float]
    beside: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Growth:
    requests: float
    began_anew: bool
    """Somebody who had counted began at 0 again, or went: what came just before is not known."""


def traffic_noted(
    *, cluster_id: UUID, earlier: Earlier | None, counted: Mapping[str, float], period: timedelta, now: datetime
) -> Noted:
    """The signal after a reading of all who count. `period`: how often they are read.

    What was not watched counts as use until then: before the first reading, and where counters began anew while they
    were not read for long.
    """
    if earlier is None or earlier.read_at is None:
        return _told(cluster_id, now, BEFORE, None, FIRST)
    grown = _growth(earlier.counted, counted)
    used, who = None, ""
    if grown.requests > 0:
        used, who = now, f"{grown.requests:.0f} requests through its ingresses"
    elif grown.began_anew and now - earlier.read_at > 2 * period:
        used, who = now, MISSED
    unseen = _unseen(earlier.beside)
    return _told(cluster_id, used, who, None if unseen else now, unseen)


def _growth(before: Mapping[str, float], after: Mapping[str, float]) -> _Growth:
    """As Prometheus has it: a counter that is lower than before began at 0 again. One that is new began at 0."""
    requests, anew = 0.0, any(value > 0 and source not in after for source, value in before.items())
    for source, value in after.items():
        was = before.get(source, 0.0)
        anew = anew or value < was
        requests += value - was if value >= was else value
    return _Growth(requests, anew)


def _unseen(beside: tuple[str, ...] | None) -> str:
    if beside is None:
        return NOT_LOOKED
    if beside:
        shown = ", ".join(beside[:5]) + (f" and {len(beside) - 5} more" if len(beside) > 5 else "")
        return f"Traffic may come to it beside the ingress controller: {shown}."
    return ""


def _told(cluster_id: UUID, used: datetime | None, who: str, observed: datetime | None, unknown: str) -> Noted:
    return Noted(
        cluster_id=cluster_id,
        kind=SignalKind.INGRESS,
        last_used_at=used,
        who=who,
        observed_at=observed,
        state=SignalState.UNKNOWN if unknown else SignalState.KNOWN,
        reason=unknown,
    )
