"""One tenant's hundreds of operations leave another's single one its turn."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import Organization
from clusters.models import Operation, OperationKind
from provisioning.engine.lease import Turns, lease_claim_next
from tests.clusters.making import cluster_row, host_row, operation_row
from tests.engine.conftest import at_once


def many(world, count: int, **fields) -> list[Operation]:
    now = timezone.now()
    clusters = [cluster_row(world, f"c-{number}", **fields) for number in range(count)]
    return [operation_row(cluster, OperationKind.PROVISION, published_at=now) for cluster in clusters]


def of_globex(world, name: str = "single") -> Operation:
    cluster = cluster_row(world, name, project=world.foreign, owner_user=world.greta, creator=world.greta)
    return operation_row(cluster, OperationKind.PROVISION, published_at=timezone.now())


def claimed(count: int) -> list[UUID | None]:
    claims = [lease_claim_next(owner="tests", seconds=30, turns=Turns()) for _ in range(count)]
    return [claim.operation.pk if claim else None for claim in claims]


def test_a_single_operation_goes_before_the_rest_of_500_of_another_tenant(engine, world):
    theirs = many(world, 500)
    assert claimed(4) == [operation.pk for operation in theirs[:4]], "alone, they have all workers"
    single = of_globex(world)
    assert claimed(2) == [single.pk, theirs[4].pk]


def test_all_organizations_and_the_platform_get_their_turn(engine, world):
    theirs = many(world, 4)
    ours = [of_globex(world, f"g-{number}") for number in range(4)]
    assert claimed(8) == [row.pk for pair in zip(theirs, ours, strict=True) for row in pair]
    assert claimed(1) == [None]


def test_each_of_many_organizations_is_served_once_before_one_is_served_twice(engine, world):
    now = timezone.now()
    many(world, 4)
    of_globex(world)
    operation_row(host_row(), OperationKind.CONNECT, published_at=now)
    others = [Organization.objects.create(name=f"org-{number}") for number in range(5)]
    Operation.objects.bulk_create(
        Operation(kind=OperationKind.PROVISION, organization=other, published_at=now) for other in others for _ in "ab"
    )
    turns = Turns()
    claims = [lease_claim_next(owner="tests", seconds=30, turns=turns) for _ in range(8)]
    served = [claim.operation.organization_id for claim in claims if claim]
    assert len(served) == len(set(served)) == 8
    assert served[2] is None, "the platform's own waits third-longest"


@pytest.mark.django_db(transaction=True)
def test_what_others_claim_just_now_is_passed_over_and_after_an_organizations_last_comes_the_next(engine, world):
    first, second = many(world, 2)
    single = of_globex(world)
    with transaction.atomic():
        list(Operation.objects.select_for_update().filter(pk=first.pk))
        assert at_once(1, lambda number: claimed(1)) == [[second.pk]]
    Operation.objects.filter(pk=second.pk).update(state="Succeeded", lease_expires_at=None)
    with transaction.atomic():
        list(Operation.objects.select_for_update().filter(pk=first.pk))
        assert at_once(1, lambda number: claimed(2)) == [[single.pk, None]]
    assert claimed(1) == [first.pk]


def test_what_was_begun_goes_before_what_was_not_and_then_who_waits_longest(engine, world):
    now = timezone.now()
    new, begun, longer = many(world, 3)
    Operation.objects.filter(pk=begun.pk).update(started_at=now, run_after=now - timedelta(seconds=1))
    Operation.objects.filter(pk=longer.pk).update(started_at=now, run_after=now - timedelta(seconds=2))
    assert claimed(3) == [longer.pk, begun.pk, new.pk]


def test_only_what_was_told_of_is_claimed_so_that_no_message_is_used_up_for_another(engine, world):
    told, untold = many(world, 2)
    Operation.objects.filter(pk=untold.pk).update(published_at=None)
    assert claimed(2) == [told.pk, None]


def test_who_is_left_without_a_message_is_told_anew_as_soon_as_who_lost_it_would_have_been(engine, world):
    """Any message may do the work of any operation, so what a lost one leaves undone is somebody else's each time."""
    lost, told = many(world, 2)
    sent = timezone.now() - timedelta(seconds=14)
    Operation.objects.filter(pk=lost.pk).update(published_at=sent)
    claim = lease_claim_next(owner="tests", seconds=30, turns=Turns(), told=told.pk)
    assert claim
    assert claim.operation.pk == lost.pk
    assert Operation.objects.get(pk=told.pk).published_at == sent


def test_what_waits_for_its_time_or_its_host_or_has_a_worker_is_passed_over(engine, world):
    now = timezone.now()
    later, held, ended = many(world, 3)
    Operation.objects.filter(pk=later.pk).update(run_after=now + timedelta(seconds=60))
    Operation.objects.filter(pk=held.pk).update(lease_expires_at=now + timedelta(seconds=60))
    Operation.objects.filter(pk=ended.pk).update(state="Succeeded")
    assert claimed(1) == [None]


def test_a_lease_that_ran_out_is_taken_over_and_said_to_be(engine, world):
    (operation,) = many(world, 1)
    Operation.objects.filter(pk=operation.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    claim = lease_claim_next(owner="tests", seconds=30, turns=Turns())
    assert claim is not None
    assert (claim.operation.pk, claim.lease.token, claim.lease.taken_over) == (operation.pk, 1, True)


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_claim_each_operation_once(engine, world):
    operations = many(world, 40)
    found: list[UUID | None] = []
    lock = threading.Lock()

    turns = Turns()

    def worker(number: int) -> None:
        for _ in range(5):
            claim = lease_claim_next(owner=f"worker-{number}", seconds=30, turns=turns)
            with lock:
                found.append(claim.operation.pk if claim else None)

    at_once(8, worker)
    assert sorted(filter(None, found)) == sorted(operation.pk for operation in operations)


def test_turns_go_round_also_where_one_worker_does_one_thing_after_the_other(engine, world):
    engine.flow(engine.step("one"), engine.step("two"))
    many(world, 60)
    single = of_globex(world)
    runner = engine.runner()
    for _ in range(61):
        runner.run_next()
    assert not Operation.objects.exclude(state="Succeeded").exists()
    ended = list(Operation.objects.order_by("finished_at").values_list("pk", flat=True))
    assert ended.index(single.pk) <= 1
