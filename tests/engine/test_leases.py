"""One worker at a time works on an operation, and one that lost its lease writes nothing."""

import time
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from clusters.models import Operation, OperationState
from dev.waiting import wait_until
from provisioning.engine.lease import LeaseKeeper, LeaseLost, lease_claim
from tests.engine.conftest import at_once, fresh


def claim(operation, owner="tests", seconds=30.0):
    return lease_claim(operation_id=operation.pk, owner=owner, seconds=seconds)


def write(operation, **fields) -> None:
    Operation.objects.filter(pk=operation.pk).update(**fields)


def ends(operation) -> datetime:
    """Until when somebody has it."""
    row = fresh(operation)
    assert row.lease_expires_at is not None
    return row.lease_expires_at


def past() -> object:
    return timezone.now() - timedelta(seconds=1)


@pytest.mark.django_db(transaction=True)
def test_of_20_workers_that_claim_at_once_one_gets_it(engine):
    operation = engine.start()
    leases = at_once(20, lambda number: claim(operation, owner=f"worker-{number}"))
    won = [number for number, lease in enumerate(leases) if lease is not None]
    assert len(won) == 1
    row = fresh(operation)
    assert (row.lease_owner, row.lease_token, row.state) == (f"worker-{won[0]}", 1, "Processing")
    assert row.published_at is None, "whoever takes it over later is told of it again"


def test_only_what_is_due_free_and_unfinished_can_be_claimed(engine):
    operation = engine.start()
    for state in (OperationState.QUEUED, OperationState.SUCCEEDED, OperationState.FAILED, OperationState.ABORTED):
        write(operation, state=state)
        assert claim(operation) is None, state
    for state in (OperationState.PENDING, OperationState.PROCESSING, OperationState.ERROR):
        write(operation, state=state, lease_expires_at=None, run_after=timezone.now() + timedelta(seconds=60))
        assert claim(operation) is None, "its time has not come"
        write(operation, run_after=past())
        assert claim(operation) is not None, state
        assert claim(operation) is None, "it is taken"


def test_a_lease_that_ran_out_is_taken_over_with_a_higher_token(engine):
    operation = engine.start()
    first = claim(operation)
    write(operation, lease_expires_at=past())
    second = claim(operation)
    assert (first.token, second.token) == (1, 2)
    assert (first.taken_over, second.taken_over) == (False, True)
    write(operation, lease_expires_at=None, lease_owner="")
    assert not claim(operation).taken_over, "it was handed back"


def taken_over(operation) -> None:
    write(operation, lease_expires_at=past())
    assert claim(operation, owner="another") is not None


def ran_out(operation) -> None:
    write(operation, lease_expires_at=past())


@pytest.mark.parametrize("lose", [taken_over, ran_out])
@pytest.mark.parametrize("ends", ["done", "waits", "fails", "writes"])
def test_a_worker_that_lost_its_lease_writes_nothing(engine, lose, ends):
    from provisioning.engine.errors import PermanentError
    from provisioning.engine.flow import Wait

    found = []
    hooks = []

    def does(context):
        lose(context.operation)
        found.append(Operation.objects.filter(pk=context.operation.pk).values().get())
        if ends == "writes":
            context.write(context.virtual_cluster, labels={"written": "yes"})
        if ends == "fails":
            raise PermanentError("No.", code="no")
        return Wait(5, "Later.") if ends == "waits" else None

    def hook(operation, now):
        hooks.append(operation)

    engine.flow(engine.step("only", does), on_success=hook, on_failure=hook)
    operation = engine.start()
    engine.run(operation)
    assert Operation.objects.filter(pk=operation.pk).values().get() == found[0]
    assert not hooks
    assert operation.events.count() == 0
    engine.cluster.refresh_from_db()
    assert engine.cluster.labels == {}
    assert engine.notified == []


def test_a_lease_that_could_not_be_renewed_in_time_stops_every_effect_before_another_may_begin(engine):
    operation = engine.start()
    lease = claim(operation, seconds=0.5)
    lease.check()
    wait_until(lambda: _is_lost(lease), seconds=5, what="the lease stayed valid")
    # by the worker's own reckoning it ends a little before the database would give it to somebody else
    assert ends(operation) > timezone.now() - timedelta(seconds=5)
    lease.extend(asked_at=time.monotonic())
    lease.check()
    lease.lose()
    lease.extend(asked_at=time.monotonic())
    assert _is_lost(lease), "what another one has does not come back"


def _is_lost(lease) -> bool:
    try:
        lease.check()
    except LeaseLost:
        return True
    return False


@contextmanager
def running(keeper):
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()
        keeper.join(timeout=10)


@pytest.mark.django_db(transaction=True)
def test_the_keeper_renews_what_is_worked_on_and_tells_who_lost_theirs(engine):
    operation = engine.start()
    lease, keeper = claim(operation, seconds=3.0), LeaseKeeper(every=0.1)
    with running(keeper), keeper.keeping(lease):
        first = ends(operation)
        wait_until(lambda: ends(operation) > first, seconds=10, what="nothing was renewed")
        lease.check()
        # somebody took it over while this worker was cut off
        write(operation, lease_token=F("lease_token") + 1, lease_owner="another")
        wait_until(lambda: _is_lost(lease), seconds=10, what="the loser was not told")
        theirs = ends(operation)
        connection.close()
        wait_until(lambda: keeper.is_alive(), seconds=1, what="the keeper ended")
        assert ends(operation) == theirs, "another's lease is not touched"


def test_the_keeper_never_gives_an_end_to_a_lease_that_was_handed_back(engine):
    operation = engine.start()
    lease, keeper = claim(operation), LeaseKeeper(every=60)
    with keeper.keeping(lease):
        write(operation, lease_expires_at=None, lease_owner="")  # as a worker does while the keeper's list is stale
        keeper.renew_all()
    assert fresh(operation).lease_expires_at is None
    assert claim(operation) is not None


def test_a_lease_that_ends_does_not_take_the_next_one_of_its_operation_along(engine):
    """One process may claim an operation anew while its lost lease is still being given up."""
    operation, keeper = engine.start(), LeaseKeeper(every=60)
    first = claim(operation)
    with keeper.keeping(first):
        write(operation, lease_expires_at=past())
        second = claim(operation, seconds=1)
        later = keeper.keeping(second)
        later.__enter__()
    before = ends(operation)
    keeper.renew_all()
    assert ends(operation) > before
    second.check()
    later.__exit__(None, None, None)


@pytest.mark.django_db(transaction=True)
def test_a_keeper_outlives_a_database_that_cuts_its_connection(engine):
    operation = engine.start()
    lease, keeper = claim(operation, seconds=5.0), LeaseKeeper(every=0.1)
    with running(keeper), keeper.keeping(lease):
        first = ends(operation)
        wait_until(lambda: ends(operation) > first, seconds=10, what="nothing was renewed")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert cursor.rowcount >= 1
        cut = ends(operation)
        wait_until(lambda: ends(operation) > cut, seconds=10, what="nothing was renewed any more")


def test_one_keeper_keeps_many_leases_and_forgets_those_that_ended(engine, world):
    from tests.clusters.making import cluster_row

    operations = []
    for number in range(3):
        engine.cluster = cluster_row(world, f"c-{number}")
        operations.append(engine.start())
    keeper, leases = LeaseKeeper(every=60), [claim(operation) for operation in operations]
    soon = timezone.now() + timedelta(seconds=1)
    with keeper.keeping(leases[0]), keeper.keeping(leases[2]):
        with keeper.keeping(leases[1]):
            pass
        Operation.objects.update(lease_expires_at=soon)
        keeper.renew_all()
    assert [ends(operation) > soon for operation in operations] == [True, False, True]


def test_a_step_that_never_comes_to_its_end_is_taken_over_in_time(engine):
    operation = engine.start()
    lease = claim(operation)
    assert lease is not None
    keeper = LeaseKeeper(every=60)
    with keeper.keeping(lease):
        lease.renewed_for(60)
        keeper.renew_all()
        lease.check()
        before = ends(operation)
        lease.renewed_for(-1)
        keeper.renew_all()
        with pytest.raises(LeaseLost):
            lease.check()
    assert ends(operation) == before, "it runs out, and the waker tells another worker"
