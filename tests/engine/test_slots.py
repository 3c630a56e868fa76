"""A host's slots are never more than they are, and go to whom it is fairest; a worker's death loses none."""

import threading
from collections import Counter

import pytest
from django.db import transaction

from clusters.models import Breaker, HostCluster, HostSlot, Operation, OperationKind, Placement
from clusters.services.operations import operation_abort
from dev.waiting import wait_until
from provisioning.engine.flow import Wait
from provisioning.engine.lease import lease_claim
from provisioning.engine.slots import slot_take, slots_grant, slots_tidy
from tests.accounts.conftest import MARINA
from tests.clusters.making import cluster_row, host_row, operation_row
from tests.engine.conftest import at_once, fresh


def on(host: HostCluster, world, name: str, **fields) -> Operation:
    """An operation whose message was sent, on a cluster that is placed on the host."""
    cluster = cluster_row(world, name, **fields)
    Placement.objects.create(virtual_cluster=cluster, host=host, namespace=f"marina-{name}", release=name)
    return operation_row(cluster, OperationKind.PROVISION, published_at=cluster.created_at)


def taken(operation: Operation, host: HostCluster, most: int = 1) -> bool:
    """A worker begins with it, and never hands it back."""
    lease = lease_claim(operation_id=operation.pk, owner="busy", seconds=30)
    assert lease is not None
    return slot_take(lease=lease, host_id=host.pk, most=most)


def held(host: HostCluster) -> int:
    return HostSlot.objects.filter(host=host, operation__isnull=False).count()


def waits(operation: Operation) -> bool:
    row = fresh(operation)
    return row.waiting_host_id is not None and row.lease_expires_at is None


@pytest.mark.django_db(transaction=True)
def test_at_no_time_more_operations_work_on_a_host_than_it_has_slots(engine, world):
    host = host_row(concurrency=3)
    operations = [on(host, world, f"c-{number}") for number in range(20)]
    most, lock, inside = 0, threading.Lock(), 0

    def work(context):
        nonlocal most, inside
        with lock:
            inside += 1
            most = max(most, inside, held(host))
        with lock:
            inside -= 1

    engine.flow(engine.step("one", work), engine.step("two", work))

    def worker(number):
        runner = engine.runner(f"worker-{number}")
        wait_until(
            lambda: runner.run_next() or not Operation.objects.exclude(state="Succeeded").exists(),
            seconds=60,
            what="not all operations ended",
        )

    at_once(8, worker)
    assert 1 <= most <= 3
    assert {fresh(operation).attempt for operation in operations} == {0}
    assert held(host) == 0
    assert HostSlot.objects.filter(host=host).count() == 3


def test_who_finds_no_slot_waits_without_a_worker_and_without_an_attempt(engine, world):
    host = host_row(concurrency=1)
    engine.flow(engine.step("one"))
    first, second = on(host, world, "first"), on(host, world, "second")
    assert taken(first, host)
    row = engine.run(second)
    assert waits(second)
    assert (row.state, row.attempt) == ("Processing", 0)
    assert row.message == "Waiting for its turn on host east: 1 operations are at work there."
    assert engine.ran == []
    engine.runner().run_next()
    assert waits(second), "nobody looks at what waits"


def test_a_slot_that_is_freed_goes_to_whom_it_is_fairest(engine, world):
    host = host_row(concurrency=2)
    engine.flow(engine.step("one", lambda context: Wait(60, "It starts.")))
    busy = [on(host, world, f"busy-{number}") for number in range(2)]
    for operation in busy:
        taken(operation, host, most=2)
    theirs = [on(host, world, f"theirs-{number}") for number in range(3)]
    single = on(host, world, "single", project=world.foreign, owner_user=world.greta, creator=world.greta)
    for operation in (*theirs, single):
        engine.run(operation)
        assert waits(operation)
    HostSlot.objects.filter(operation=busy[0]).update(operation=None)
    assert slots_grant(host_id=host.pk) == 1
    assert not waits(single), "globex has none at work, acme has one"
    HostSlot.objects.filter(operation=busy[1]).update(operation=None)
    assert slots_grant(host_id=host.pk) == 1
    assert [waits(operation) for operation in theirs] == [False, True, True]


def test_turns_for_a_single_slot_go_round(engine, world):
    host = host_row(concurrency=1)
    engine.flow(engine.step("one"))
    HostCluster.objects.update(breaker=Breaker.OPEN)
    theirs = [on(host, world, f"theirs-{number}") for number in range(4)]
    single = on(host, world, "single", project=world.foreign, owner_user=world.greta, creator=world.greta)
    for operation in (*theirs, single):
        engine.run(operation)
    HostCluster.objects.update(breaker=Breaker.CLOSED)
    order = []
    while left := [operation for operation in (*theirs, single) if not fresh(operation).finished]:
        slots_tidy()
        (turn,) = [operation for operation in left if not waits(operation)]
        order.append(turn)
        assert engine.run(turn).state == "Succeeded"
    assert order == [theirs[0], single, *theirs[1:]]


def test_waiting_for_a_cluster_to_start_holds_no_slot(engine, world):
    host = host_row(concurrency=1)
    engine.flow(engine.step("one", lambda context: Wait(60, "It starts.")))
    first, second = on(host, world, "first"), on(host, world, "second")
    engine.run(first)
    engine.run(second)
    assert engine.ran == ["one", "one"]
    assert held(host) == 0


def test_the_time_spent_waiting_for_a_slot_is_not_the_steps_own(engine, world):
    host = host_row(concurrency=1)
    engine.flow(engine.step("one"))
    first, second = on(host, world, "first"), on(host, world, "second")
    taken(first, host, most=1)
    row = engine.run(second)
    began = row.step_started_at
    HostSlot.objects.update(operation=None)
    slots_grant(host_id=host.pk)
    moved = fresh(second).step_started_at
    assert moved > began
    assert fresh(second).run_after is None


def test_what_is_taken_over_keeps_the_slot_it_had(engine, world):
    host = host_row(concurrency=1)
    engine.flow(engine.step("one"))
    operation = on(host, world, "first")
    taken(operation, host, most=1)
    Operation.objects.filter(pk=operation.pk).update(lease_expires_at=operation.created_at)
    assert engine.run(operation).state == "Succeeded"
    assert held(host) == 0


def test_an_aborted_operation_gives_back_what_its_dead_worker_had_taken(engine, world):
    host = host_row(concurrency=1)
    engine.flow(engine.step("one"))
    operation = on(host, world, "first")
    taken(operation, host)
    Operation.objects.filter(pk=operation.pk).update(lease_expires_at=operation.created_at)
    operation_abort(operation=operation, actor=MARINA, now=operation.created_at)
    assert engine.run(operation).state == "Aborted"
    assert held(host) == 0


def test_a_worker_whose_lease_ran_out_takes_no_slot(world, engine):
    host = host_row(concurrency=1)
    operation = on(host, world, "first")
    frozen = lease_claim(operation_id=operation.pk, owner="frozen", seconds=30)
    Operation.objects.filter(pk=operation.pk).update(lease_expires_at=operation.created_at)
    assert lease_claim(operation_id=operation.pk, owner="other", seconds=30)
    assert frozen is not None
    assert not slot_take(lease=frozen, host_id=host.pk, most=1)
    assert held(host) == 0


def test_an_abort_ends_the_waiting(engine, world):
    host = host_row(concurrency=1)
    engine.flow(engine.step("one"))
    first, second = on(host, world, "first"), on(host, world, "second")
    taken(first, host, most=1)
    engine.run(second)
    operation_abort(operation=second, actor=MARINA, now=second.created_at)
    assert not waits(second)
    assert engine.run(second).state == "Aborted"
    assert engine.ran == []


def test_the_safety_net_frees_what_ended_operations_hold_and_gives_it_out(engine, world):
    host = host_row(concurrency=1)
    engine.flow(engine.step("one"))
    first, second = on(host, world, "first"), on(host, world, "second")
    taken(first, host, most=1)
    engine.run(second)
    Operation.objects.filter(pk=first.pk).update(state="Failed")
    slots_tidy()
    assert HostSlot.objects.get(host=host).operation_id == second.pk
    assert engine.run(second).state == "Succeeded"


def test_a_raised_limit_is_used_and_a_lowered_one_is_kept(engine, world):
    host = host_row(concurrency=1)
    engine.flow(engine.step("one"))
    busy = on(host, world, "busy")
    taken(busy, host, most=1)
    others = [on(host, world, f"other-{number}") for number in range(3)]
    for operation in others:
        engine.run(operation)
    HostCluster.objects.update(concurrency=3)
    slots_tidy()
    assert [waits(operation) for operation in others] == [False, False, True]
    HostCluster.objects.update(concurrency=1)
    HostSlot.objects.filter(number__gt=0).update(operation=None)
    slots_tidy()
    assert waits(others[2])


@pytest.mark.django_db(transaction=True)
def test_two_wakers_give_a_slot_out_once(engine, world):
    host = host_row(concurrency=4)
    engine.flow(engine.step("one"))
    HostCluster.objects.update(breaker=Breaker.OPEN)
    operations = [on(host, world, f"c-{number}") for number in range(10)]
    for operation in operations:
        engine.run(operation)
    HostCluster.objects.update(breaker=Breaker.CLOSED)
    at_once(6, lambda number: slots_tidy())
    slots_tidy()
    assert Counter(waits(operation) for operation in operations) == {False: 4, True: 6}
    with transaction.atomic():
        assert held(host) == 4
