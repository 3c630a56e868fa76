"""When Marina upgrades one cluster by itself, and to what: decided from what is known, without the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from clusters.lifecycle.support import SupportEnd
from clusters.lifecycle.upgrade_policy import ResolvedUpgradePolicy
from clusters.lifecycle.upgrades import Running, Target, forced_target, target_of
from clusters.lifecycle.windows import Opening, Window

TRIES: Final = 3
"""So often the same versions are tried, each in a window of its own; then somebody has to look."""
WITHOUT_WINDOW_EVERY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What was tried of late: which versions, how often, and when last."""

    signature: str = ""
    times: int = 0
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedUpgrade:
    """From when until when (None: without end) it may begin, and to what."""

    at: datetime
    until: datetime | None
    target: Target


def upgrade_plan(
    *, running: Running, policy: ResolvedUpgradePolicy, support: SupportEnd | None, tried: Tried, now: datetime
) -> PlannedUpgrade | None:
    """The next one. A window that was missed is none any more; in one window the same is tried once."""
    target = target_of(policy.channel, running)
    planned = None
    if target is not None and policy.window is not None and not _given_up(target, tried):
        planned = _in_window(policy.window, target, tried, now, not_before=now)
    forced = _forced(running, policy, support, tried, now)
    if forced is None or (planned is not None and planned.at <= forced.at):
        return planned
    return forced


def _forced(
    running: Running, policy: ResolvedUpgradePolicy, support: SupportEnd | None, tried: Tried, now: datetime
) -> PlannedUpgrade | None:
    begins = support.forced_from if support is not None else None
    target = forced_target(running) if begins is not None else None
    if begins is None or target is None or _given_up(target, tried):
        return None
    if policy.window is not None:
        return _in_window(policy.window, target, tried, now, not_before=begins)
    again = tried.at + WITHOUT_WINDOW_EVERY if tried.at is not None and tried.signature == target.signature else begins
    return PlannedUpgrade(at=max(begins, again), until=None, target=target)


def _given_up(target: Target, tried: Tried) -> bool:
    return tried.signature == target.signature and tried.times >= TRIES


def _in_window(
    window: Window, target: Target, tried: Tried, now: datetime, *, not_before: datetime
) -> PlannedUpgrade | None:
    moment = max(now, not_before)
    opening = window.open_at(moment)
    if opening is None or _was_tried_in(opening, tried):
        opening = window.after(moment)
    if opening is None:
        return None
    # what is forced from the middle of a window on begins there
    at = max(opening.start, not_before) if not_before > now else opening.start
    return PlannedUpgrade(at=at, until=opening.end, target=target)


def _was_tried_in(opening: Opening, tried: Tried) -> bool:
    return tried.at is not None and opening.start <= tried.at < opening.end
