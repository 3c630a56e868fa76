"""A worker that is told to stop finishes what it does, or hands it back in time; nobody loses an attempt by it."""

import threading
import time
from uuid import uuid4

import pytest
from django.db import connection, transaction

from clusters.models import Operation
from dev.waiting import wait_until
from provisioning.engine.lease import Lease, LeaseKeeper, LeaseLost
from provisioning.worker import Worker
from tests.engine.conftest import Engine, events, fresh

PATIENCE_SECONDS = 20


@pytest.fixture
def worker(transactional_db, world, settings):
    """The parts of a worker, its threads not started."""
    settings.STOP_GRACE_SECONDS = 0.1
    worker = Worker()
    yield worker
    worker.stop()


def runs(worker: Worker, engine: Engine, operation: Operation) -> threading.Thread:
    def run() -> None:
        worker.runner.run(operation.pk)
        connection.close()

    worker.runner.flows = engine.flows
    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_a_step_that_takes_longer_than_the_grace_time_is_handed_back_and_finished_by_another(engine, worker):
    begun, seen = threading.Event(), []

    def long(context):
        begun.set()
        wait_until(lambda: _lost(context), seconds=PATIENCE_SECONDS, what="the lease was not given up")
        seen.append(context.operation.pk)
        context.lease.check()

    engine.flow(engine.step("one", long), engine.step("two"))
    operation = engine.start()
    thread = runs(worker, engine, operation)
    assert begun.wait(PATIENCE_SECONDS)
    worker.hand_back()
    thread.join(PATIENCE_SECONDS)
    wait_until(
        lambda: fresh(operation).lease_expires_at is None, seconds=PATIENCE_SECONDS, what="it was not handed back"
    )
    row = fresh(operation)
    assert (row.state, row.lease_owner, row.attempt) == ("Processing", "", 0)
    engine.flow(engine.step("one"), engine.step("two"))
    row = engine.run(operation)
    assert (row.state, row.attempt) == ("Succeeded", 0)
    assert events(operation) == [], "a stopping worker is no error"


@pytest.mark.django_db(transaction=True)
def test_a_step_that_ends_in_time_counts_and_the_rest_is_handed_back(engine, worker, settings):
    settings.STOP_GRACE_SECONDS = PATIENCE_SECONDS
    begun, go_on = threading.Event(), threading.Event()

    def short(context):
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)

    engine.flow(engine.step("one", short), engine.step("two"))
    operation = engine.start()
    thread = runs(worker, engine, operation)
    assert begun.wait(PATIENCE_SECONDS)
    worker.hand_back()
    go_on.set()
    thread.join(PATIENCE_SECONDS)
    row = fresh(operation)
    assert engine.ran == ["one"]
    assert [step["state"] for step in row.steps] == ["done", "current"]
    assert (row.lease_expires_at, row.message) == (None, "The worker is stopping; another one goes on.")
    assert engine.run(operation).state == "Succeeded"


def _lost(context) -> bool:
    try:
        context.lease.check()
    except LeaseLost:
        return True
    return False


def test_all_leases_are_given_up_here_even_where_the_database_does_not_take_it(engine):
    keeper = LeaseKeeper(every=60)
    leases = [Lease(operation_id=uuid4(), token=1, seconds=60) for _ in range(2)]
    for lease in leases:
        lease.extend(asked_at=time.monotonic())
    with keeper.keeping(leases[0]), keeper.keeping(leases[1]), transaction.atomic():
        connection.needs_rollback = True  # every statement fails from here on
        with pytest.raises(transaction.TransactionManagementError):
            keeper.give_up_all()
    for lease in leases:
        with pytest.raises(LeaseLost):
            lease.check()
