"""Clusters with a book of their use, at the time of the test."""

from datetime import UTC, datetime, timedelta

import pytest

from clusters.models import VirtualCluster, VirtualClusterPhase
from tests.clusters.lifecycle.days import Book
from tests.clusters.making import cluster_row

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def book() -> Book:
    return Book(NOW - timedelta(days=400))


@pytest.fixture
def made(world):
    """Makes a Ready cluster that is so many days old."""

    def make(name: str = "hello", *, days: float = 0, **fields) -> VirtualCluster:
        row = cluster_row(world, name, **{"phase": VirtualClusterPhase.READY, **fields})
        VirtualCluster.objects.filter(pk=row.pk).update(created_at=NOW - timedelta(days=days))
        return row

    return make
