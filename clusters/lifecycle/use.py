"""Whether a cluster is used: what its signals say together. Unknown is never idle."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from clusters.lifecycle.required_signals import required_kinds
from clusters.lifecycle.signal import Signal, SignalKind, SignalState

INSIDE: Final = frozenset({SignalKind.CHANGE, SignalKind.CPU, SignalKind.INGRESS})
"""What is seen inside a cluster or on its host. While it is asleep there is nothing of the kind to be seen."""

REQUIRED: Final = required_kinds({})
"""What has to be known where the host does not say otherwise."""


@dataclass(frozen=True)
class Use:
    """When it was used last, and what of it is not known."""

    last_at: datetime
    """At the latest known use, or when it was made."""
    last: str
    """That use in words."""
    unknown: tuple[str, ...]
    """Why nobody can say that it is unused: a sentence for each required signal that is missing."""

    @property
    def known(self) -> bool:
        """Whether everything that has to be known is."""
        return not self.unknown


def use_of(
    *,
    signals: Iterable[Signal],
    required: frozenset[SignalKind],
    further: Iterable[tuple[datetime | None, str]],
    asleep_since: datetime | None,
    stale_after: timedelta,
    now: datetime,
) -> Use:
    """`further`: other times at which somebody had to do with it, in words: that it was made, that it was woken."""
    by_kind = {signal.kind: signal for signal in signals}
    times = [(at, words) for at, words in further if at is not None]
    times += [(each.last_used_at, _words(each)) for each in by_kind.values() if each.last_used_at is not None]
    last_at, last = max(times)
    missing = (
        why
        for kind in SignalKind
        if kind in required and (why := signal_missing(kind, by_kind.get(kind), asleep_since, stale_after, now))
    )
    return Use(last_at=last_at, last=last, unknown=tuple(missing))


def signal_missing(
    kind: SignalKind, signal: Signal | None, asleep_since: datetime | None, stale_after: timedelta, now: datetime
) -> str:
    """Why a signal tells nothing, as a sentence; empty where it is known and fresh."""
    if signal is None:
        return f"The signal {kind} is missing."
    if signal.state is not SignalState.KNOWN:
        return f"The signal {kind} is {signal.state}{f': {signal.reason}' if signal.reason else ''}."
    until = min(now, asleep_since) if asleep_since and kind in INSIDE else now
    if signal.observed_at is None:
        return f"The signal {kind} was never looked at."
    if signal.observed_at < until - stale_after:
        return f"The signal {kind} was last looked at {signal.observed_at:%Y-%m-%d %H:%M} UTC."
    return ""


def _words(signal: Signal) -> str:
    return f"{signal.kind}{f' by {signal.who}' if signal.who else ''}"
