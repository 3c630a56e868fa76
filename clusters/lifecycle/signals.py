"""What is known of clusters' use."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from clusters.lifecycle.signal import Signal
from clusters.models import VirtualCluster


def signals_of(clusters: Iterable[VirtualCluster], *, now: datetime | None = None) -> dict[UUID, tuple[Signal, ...]]:
    """The signals of each, with a fixed number of queries."""
    return {}
