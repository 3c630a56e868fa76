"""Until when Kubernetes' minor versions have support, as the settings say, and when that has to be told."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from django.conf import settings

Line = tuple[int, int]
_ENTRY: Final = re.compile(r"v?([0-9]+)\.([0-9]+)=([0-9]{4}-[0-9]{2}-[0-9]{2})")


def support_ends() -> Mapping[Line, datetime]:
    """By minor version the first moment without support. Raises ValueError for a setting that cannot be read."""
    return _read(tuple(settings.KUBERNETES_END_OF_SUPPORT))


@lru_cache(maxsize=8)
def _read(entries: tuple[str, ...]) -> Mapping[Line, datetime]:
    found = {}
    for entry in entries:
        match = _ENTRY.fullmatch(entry.strip())
        if match is None:
            raise ValueError(f"{entry!r} is no end of support; write it like 1.33=2026-06-28.")
        found[int(match[1]), int(match[2])] = datetime.fromisoformat(match[3]).replace(tzinfo=UTC)
    return found


def warn_spans() -> tuple[timedelta, ...]:
    """How long before that owners are warned, the longest first; at least two. Raises ValueError for fewer."""
    spans = sorted({int(each) for each in settings.UPGRADE_WARN_BEFORE_SECONDS}, reverse=True)
    if len(spans) < 2 or spans[-1] <= 0:
        raise ValueError("Owners are warned at least twice: write two or more different spans of seconds.")
    return tuple(timedelta(seconds=each) for each in spans)


@dataclass(frozen=True)
class SupportEnd:
    """The end of support of what one cluster runs, and when its owner was told of it, ascending."""

    at: datetime
    told: Sequence[datetime] = ()

    def warning_due(self, now: datetime) -> bool:
        """Whether it has to be told now: at each span before the end; a second time also where the first came late."""
        spans = warn_spans()
        last = self.told[-1] if self.told else None
        reached = [self.at - span for span in spans if self.at - span <= now]
        if not reached:
            return False
        if last is None:
            return True
        if any(last < moment for moment in reached):
            return True
        late = len(reached) == len(spans) and len(self.told) < 2
        return late and now >= last + spans[-1]

    @property
    def forced_from(self) -> datetime | None:
        """From when it is upgraded whatever its channel: not before the end, nor before two warnings. None: not yet."""
        if len(self.told) < 2:
            return None
        return max(self.at, self.told[1] + warn_spans()[-1]) if self.told[1] >= self.at else self.at
