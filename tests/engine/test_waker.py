"""Operations are looked at when their time has come, whatever became of the message that said so."""

import time
from collections import Counter
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Lock
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from clusters.models import Operation, OperationKind
from dev.waiting import wait_until
from provisioning.engine.flow import Wait
from provisioning.engine.lease import lease_claim
from provisioning.engine.waker import Waker
from tests.clusters.making import cluster_row, host_row, operation_row
from tests.engine.conftest import at_once, fresh


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def waker_of(published: list[UUID], **fields) -> Waker:
    return Waker(publish=published.append, clock=timezone.now, **fields)


def write(operation, **fields) -> None:
    Operation.objects.filter(pk=operation.pk).update(**fields)


@pytest.fixture
def look(django_capture_on_commit_callbacks):
    """What one look of a waker publishes."""

    def once() -> list[UUID]:
        published: list[UUID] = []
        with django_capture_on_commit_callbacks(execute=True):
            waker_of(published).publish_due()
        return published

    return once


@pytest.fixture
def operation(engine):
    """One whose first message was lost."""
    operation = engine.start()
    write(operation, published_at=None)
    return operation


def test_what_is_due_is_published_once(look, operation):
    assert look() == [operation.pk]
    assert look() == []
    assert fresh(operation).published_at is not None


def test_what_stays_unclaimed_is_published_again_after_15_seconds(look, operation):
    write(operation, published_at=timezone.now() - seconds(14))
    assert look() == []
    write(operation, published_at=timezone.now() - seconds(15.1))
    assert look() == [operation.pk]
    assert look() == []


def test_what_waits_or_is_worked_on_or_has_ended_is_left_alone(look, operation):
    write(operation, run_after=timezone.now() + seconds(60))
    assert look() == []
    write(operation, run_after=timezone.now() - seconds(1), lease_expires_at=timezone.now() + seconds(30))
    assert look() == []
    write(operation, lease_expires_at=None)
    for state in ("Queued", "Succeeded", "Failed", "Aborted"):
        write(operation, state=state)
        assert look() == []
    write(operation, state="Error")
    assert look() == [operation.pk]


def test_what_a_dead_worker_held_comes_back_when_its_lease_has_run_out(engine, look):
    engine.flow(engine.step("one"))
    operation = engine.start()
    assert lease_claim(operation_id=operation.pk, owner="dead", seconds=30)
    assert look() == []
    write(operation, lease_expires_at=timezone.now() - seconds(0.1))
    assert look() == [operation.pk]
    assert engine.run(operation).state == "Succeeded"


def test_what_waits_longest_comes_first_and_the_next_time_is_told(engine, look, world):
    now = timezone.now()
    rows = [operation_row(cluster_row(world, f"c-{n}"), OperationKind.PROVISION) for n in range(4)]
    for row, after in zip(rows, (now - seconds(5), None, now - seconds(50), now + seconds(40)), strict=True):
        write(row, run_after=after)
    assert look() == [rows[1].pk, rows[2].pk, rows[0].pk]
    assert waker_of([]).publish_due() == now + seconds(40)


@pytest.mark.django_db(transaction=True)
def test_wakers_that_look_at_once_publish_each_operation_once(world):
    rows = [operation_row(host_row(f"h-{n}"), OperationKind.CONNECT) for n in range(30)]
    published: list[UUID] = []
    at_once(6, lambda number: waker_of(published).publish_due())
    assert Counter(published) == Counter(row.pk for row in rows)


# --- sealed results ---------------------------------------------------------------------------------------------------


def sealed_row(engine, *, left: float) -> Operation:
    return operation_row(
        engine.cluster,
        OperationKind.ISSUE_KUBECONFIG,
        state="Succeeded",
        sealed_result=b"sealed",
        sealed_until=timezone.now() + seconds(left),
    )


@pytest.mark.django_db(transaction=True)
def test_a_sealed_result_is_erased_before_its_time_is_over_whoever_else_is_busy(engine):
    due, waits = sealed_row(engine, left=6), sealed_row(engine, left=60)
    with running(waker_of([])):
        connection.close()
        wait_until(lambda: fresh(due).sealed_result is None, seconds=6, what="it was not erased")
    assert (fresh(due).sealed_until or timezone.now()) > timezone.now()
    assert fresh(waits).sealed_result is not None


def test_looking_for_what_is_to_be_erased_reads_no_row_that_was_handed_over(engine):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'operation_sealed'")
        ((definition,),) = cursor.fetchall()
    assert "WHERE (sealed_result IS NOT NULL)" in definition


# --- the thread -------------------------------------------------------------------------------------------------------


@contextmanager
def running(waker: Waker):
    waker.start()
    try:
        yield waker
    finally:
        waker.stop()
        waker.join(timeout=10)
        assert not waker.is_alive()


@pytest.mark.django_db(transaction=True)
def test_what_waits_is_woken_within_a_fraction_of_a_second(engine):
    """The waker runs beside it, and whatever it publishes is run at once, as by a worker."""
    waits = [Wait(0.4, "Once."), Wait(0.3, "Twice."), None]
    begun: list[float] = []

    def does(context):
        begun.append(time.monotonic())
        return waits.pop(0)

    engine.flow(engine.step("wait", does))
    operation = engine.start()
    lock = Lock()

    def work(operation_id) -> None:
        with lock:
            engine.runner().run(operation_id)

    waker = Waker(publish=work, clock=timezone.now)
    engine.notified = _Notices(waker)
    with running(waker):
        work(operation.pk)
        connection.close()
        wait_until(lambda: fresh(operation).finished, seconds=20, what="it was not woken")
    gaps = [after - before for before, after in pairwise(begun)]
    assert len(gaps) == 2
    for asked, gap in zip((0.4, 0.3), gaps, strict=True):
        # the tick alone would come after a whole second
        assert asked <= gap < asked + 0.5


class _Notices(list[datetime]):
    """Tells the waker, as a worker's runner does."""

    def __init__(self, waker: Waker) -> None:
        super().__init__()
        self.waker = waker

    def append(self, when: datetime) -> None:
        self.waker.notify(when)


@pytest.mark.django_db(transaction=True)
def test_a_waker_outlives_whatever_goes_wrong_in_a_round(engine):
    operation = engine.start()
    published: list[UUID] = []
    rounds: list[int] = []

    def beat() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise RuntimeError("the broker's library found a new way to fail")
        if len(rounds) == 2:
            connection.ensure_connection()
            connection.connection.close()

    with running(waker_of(published, beat=beat)):
        wait_until(lambda: len(rounds) > 3, seconds=20, what="it ended")
        write(operation, published_at=None)
        wait_until(lambda: operation.pk in published, seconds=20, what="nothing was published any more")


@pytest.mark.django_db(transaction=True)
def test_a_clock_that_runs_ahead_does_not_make_the_waker_ask_without_end(engine):
    write(engine.start(), run_after=timezone.now() + seconds(60), published_at=None)
    rounds: list[float] = []
    waker = Waker(
        publish=lambda pk: None,
        clock=lambda: timezone.now() + timedelta(hours=1),
        beat=lambda: rounds.append(time.monotonic()),
    )
    with running(waker):
        wait_until(lambda: len(rounds) > 10, seconds=20, what="it ended")
    assert rounds[10] - rounds[0] >= 0.4


def test_a_broker_that_takes_nothing_is_asked_once_a_round_and_what_it_did_not_take_is_due_again(engine, world):
    rows = [operation_row(cluster_row(world, f"c-{n}"), OperationKind.PROVISION) for n in range(3)]
    asked: list[UUID] = []

    def publish(operation_id: UUID) -> bool:
        asked.append(operation_id)
        return len(asked) == 1

    Waker(publish=publish, clock=timezone.now).publish_due()
    assert asked == [row.pk for row in rows[:2]]
    assert [fresh(row).published_at is None for row in rows] == [False, True, True]
