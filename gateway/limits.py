"""How much one person may have open and ask for, of one cluster: so that nobody crowds out the others."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from gateway.answers import Refused

Who = tuple[UUID, UUID]
"""A user and a cluster."""


@dataclass
class _Bucket:
    tokens: float
    filled: float = field(default_factory=time.monotonic)
    streams: int = 0


class Limits:
    """Counted by each gateway for itself: two of them let twice as much through."""

    def __init__(self, *, rate: float, streams: int) -> None:
        self._rate = rate
        self._streams = streams
        self._buckets: defaultdict[Who, _Bucket] = defaultdict(lambda: _Bucket(tokens=rate * 2))

    def count(self, user: UUID, cluster: UUID, name: str) -> None:
        """One more request. Refused (429) above `rate` a second, two seconds' worth of which may come at once."""
        bucket = self._buckets[user, cluster]
        now = time.monotonic()
        bucket.tokens = min(self._rate * 2, bucket.tokens + (now - bucket.filled) * self._rate)
        bucket.filled = now
        if bucket.tokens < 1:
            raise Refused(
                429, f"You send more than {self._rate:g} requests a second to {name}.", why="rate", retry_after=1
            )
        bucket.tokens -= 1

    @contextmanager
    def held(self, user: UUID, cluster: UUID, name: str) -> Iterator[None]:
        """One more request under way: a watch holds its place for as long as it is open."""
        bucket = self._buckets[user, cluster]
        if bucket.streams >= self._streams:
            raise Refused(
                429,
                f"You have {self._streams} requests open to {name} at once; end some, such as watches.",
                why="streams",
                retry_after=5,
            )
        bucket.streams += 1
        try:
            yield
        finally:
            bucket.streams -= 1

    def forget(self) -> None:
        """Drops who has nothing open and a full measure: they would begin the same way."""
        now = time.monotonic()
        for who, bucket in list(self._buckets.items()):
            if not bucket.streams and now - bucket.filled > 10:
                del self._buckets[who]
