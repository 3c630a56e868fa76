"""What is a poll and what is a use: the one rule by which requests wake a cluster, and by which it counts as used."""

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from clusters.lifecycle.steadiness import INTERVALS_LEAST, steady
from gateway.resources import Doing

REPEATED_SECONDS: Final = 120.0
"""The same list by the same client within so long is a poll, and no wish of a person."""
STEADY_SECONDS: Final = 3600.0
"""The same list at a steady interval of up to so long is one, too."""

_MOST_SEEN: Final = 10_000
_AGENT: Final = 256
"""Characters of a User-Agent that are looked at."""


@dataclass
class PollRule:
    """Tells polls from other requests. One remembers what it was asked about, so each purpose has one of its own.

    `never`: User-Agents of tools that look all the time. `again_seconds`: who repeats a list sooner than that was told
    to come again, and polls nothing.
    """

    never: re.Pattern[str]
    again_seconds: float = 0.0
    seen: OrderedDict[bytes, tuple[float, ...]] = field(default_factory=OrderedDict)
    """When which list was asked for, by its digest: of clients' own words nothing is kept, however long they are."""

    def polls(self, agent: str, doing: Doing, *, who: str, target: bytes, person: bool, now: float) -> bool:
        """Whether nobody stands behind this request: a watch, a tool that looks, a list that comes at an interval.

        What a person changes by such a tool is no poll. `who` asks, for `target`; `now` in seconds of any clock.
        """
        if doing.verb == "watch":
            return True
        if self.never.search(agent[:_AGENT]):
            return doing.reads or not person
        words = (who.encode(), agent[:_AGENT].encode(), target)
        return doing.verb == "list" and self._repeated(sha256(b"\0".join(words)).digest(), now)

    def _repeated(self, key: bytes, now: float) -> bool:
        times = self.seen.get(key, ())
        if times and now - times[-1] < self.again_seconds:
            # the same wish: it stands for itself only once
            self.seen[key] = (*times[:-1], now)
            self.seen.move_to_end(key)
            return False
        self.seen[key] = times = (*times, now)[-INTERVALS_LEAST - 1 :]
        self.seen.move_to_end(key)
        if len(self.seen) > _MOST_SEEN:
            self.seen.popitem(last=False)
        last = times[-2] if len(times) > 1 else float("-inf")
        return now - last < REPEATED_SECONDS or (now - last <= STEADY_SECONDS and steady(times))


def is_use(doing: Doing, *, polls: bool) -> bool:
    """Whether a request that was answered says that the cluster is used. Asking what it serves, or whether it is there,
    comes before every command and from every monitoring.
    """
    return not polls and (bool(doing.resource) or not doing.reads)
