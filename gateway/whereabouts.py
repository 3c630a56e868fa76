"""Where one cluster is, as far as this gateway knows, and what is done when it is elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.utils import timezone

from clusters.freezing import GATEWAYS_KNOW_SECONDS
from gateway import metrics
from gateway.targets import Target

_NEVER: Final = float("-inf")


@dataclass(frozen=True)
class Look:
    """What the database said of some clusters, and between which moments (monotonic) it was asked."""

    targets: dict[UUID, Target]
    began: float
    ended: float


class Whereabouts:
    """Of one cluster; shared by all who were let in to it."""

    def __init__(self, cluster_id: UUID) -> None:
        self.target: Target | None = None
        self._last: Target | None = None
        self.cluster_id = cluster_id
        self._until = _NEVER
        self._open = _NEVER
        self._frozen_from = time.monotonic()
        self._leaving: dict[Callable[[], None], UUID] = {}

    def told(self, look: Look) -> bool:
        """Takes what was seen, unless something was that may be newer. Says whether the cluster has moved by that."""
        if look.began < self._until:
            return False
        before, self._last = self._last, look.targets.get(self.cluster_id) or self._last
        self.target, self._until = look.targets.get(self.cluster_id), look.ended
        if self.target is not None and self.target.frozen_at is None:
            self._open = look.began
            self._frozen_from = look.ended
        _measure(before, self.target)
        if before is None or self.target is None or before.placement == self.target.placement:
            return False
        self._leave(self.target.placement)
        return True

    def _leave(self, placement: UUID) -> None:
        for end, left in list(self._leaving.items()):
            if left != placement:
                self._leaving.pop(end)
                end()

    @contextmanager
    def leaving(self, placement: UUID, end: Callable[[], None]) -> Iterator[None]:
        """Within it `end` is called, once, when the cluster is no longer served from this placement."""
        if self.left(placement):
            end()
            yield
            return
        self._leaving[end] = placement
        try:
            yield
        finally:
            self._leaving.pop(end, None)

    def left(self, placement: UUID) -> bool:
        """Whether the cluster is known to be elsewhere."""
        return self.target is not None and self.target.placement != placement

    @property
    def moving(self) -> bool:
        """Whether it is on its way to another host, so that each tenth of a second counts."""
        return self.target is not None and self.target.moving

    @property
    def frozen_for(self) -> float:
        """Seconds for which it has been known to take no writes."""
        return time.monotonic() - self._frozen_from

    @property
    def certainly_open(self) -> bool:
        """Whether it was seen to take writes so lately that nobody copies the last of them yet."""
        return time.monotonic() - self._open <= GATEWAYS_KNOW_SECONDS


def _measure(before: Target | None, after: Target | None) -> None:
    """How soon a gateway that is asked for the cluster knew."""
    if before is None or after is None:
        return
    if before.frozen_at is None and after.frozen_at is not None:
        metrics.MOVE_KNOWN.labels("freeze").observe(max(0.0, (timezone.now() - after.frozen_at).total_seconds()))
    if before.placement != after.placement and after.origin is not None:
        metrics.MOVE_KNOWN.labels("switch").observe(max(0.0, (timezone.now() - after.origin.since).total_seconds()))
