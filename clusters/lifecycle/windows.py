"""Maintenance windows: when one is open, and when the next one begins."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from clusters.lifecycle.times import cron_last, cron_next


@dataclass(frozen=True)
class Opening:
    """One window: from when until when."""

    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True)
class Window:
    """Begins at the times of a cron in a time zone, and lasts so many seconds."""

    cron: str
    seconds: int
    time_zone: str

    def open_at(self, now: datetime) -> Opening | None:
        """The one that is open at that moment."""
        start = _last(self.cron, self.time_zone, now.replace(second=0, microsecond=0))
        if start is None or now >= start + timedelta(seconds=self.seconds):
            return None
        return self._from(start)

    def after(self, now: datetime) -> Opening | None:
        """The first that begins after that moment."""
        start = _next(self.cron, self.time_zone, now.replace(second=0, microsecond=0))
        return None if start is None else self._from(start)

    def _from(self, start: datetime) -> Opening:
        return Opening(start, start + timedelta(seconds=self.seconds))


# the clusters of a project share their window, and a pass over all asks within one minute
_last = lru_cache(maxsize=4096)(cron_last)
_next = lru_cache(maxsize=4096)(cron_next)
