"""How long operations usually take is the median of the newest that succeeded."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.models import Operation, OperationEvent, OperationKind, OperationState, UsualDuration
from clusters.services.durations import NEWEST, durations_measure
from tests.accounts.conftest import world_make
from tests.clusters.making import cluster_row, operation_row

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture
def cluster(db):
    return cluster_row(world_make())


def done(cluster, seconds, *, kind=OperationKind.PROVISION, days=0, state=OperationState.SUCCEEDED) -> Operation:
    ended = NOW - timedelta(days=days)
    times = {"started_at": ended - timedelta(seconds=seconds), "finished_at": ended}
    return operation_row(cluster, kind, state=state, **times)


def usual(kind=OperationKind.PROVISION) -> tuple[float, int]:
    row = UsualDuration.objects.get(kind=kind)
    return round(row.seconds, 3), row.samples


def test_it_is_the_median_of_each_kind(cluster):
    for seconds in (3, 100, 4, 5):
        done(cluster, seconds)
    done(cluster, 60, kind=OperationKind.DELETE)
    assert durations_measure(now=NOW) == 2
    assert usual() == (4.5, 4)
    assert usual(OperationKind.DELETE) == (60, 1)


def test_what_went_wrong_in_between_counts_not(cluster):
    done(cluster, 3)
    OperationEvent.objects.create(operation=done(cluster, 4), time=NOW, level="info", text="It differs by this.")
    OperationEvent.objects.create(operation=done(cluster, 600), time=NOW, level="warning", text="The host was away.")
    durations_measure(now=NOW)
    assert usual() == (3.5, 2)


def test_only_what_succeeded_counts(cluster):
    done(cluster, 3)
    done(cluster, 600, state=OperationState.FAILED)
    done(cluster, 600, state=OperationState.ABORTED)
    operation_row(cluster, OperationKind.PROVISION, state=OperationState.PROCESSING, started_at=NOW)
    durations_measure(now=NOW)
    assert usual() == (3, 1)


def test_what_was_usual_long_ago_counts_no_more(cluster):
    for _ in range(NEWEST + 1):
        done(cluster, 600, days=300)
    durations_measure(now=NOW)
    assert usual() == (600, NEWEST)
    for _ in range(NEWEST):
        done(cluster, 5)
    durations_measure(now=NOW + timedelta(minutes=1))
    assert usual() == (5, NEWEST)
    assert UsualDuration.objects.get().measured_at == NOW + timedelta(minutes=1)


def test_where_nothing_succeeded_yet_nothing_is_said(db):
    assert durations_measure(now=NOW) == 0
    assert not UsualDuration.objects.exists()
