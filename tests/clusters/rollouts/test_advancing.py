"""A rollout goes wave after wave, halts when too much fails, and survives whatever happens to those who drive it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection, transaction

from accounts.errors import Conflict, InvalidInput
from accounts.models import AuditEvent, Notification, RoleBinding
from accounts.services.audit import Actor
from accounts.services.role_bindings import role_binding_delete
from clusters.models import (
    Operation,
    OperationKind,
    OperationState,
    Placement,
    Rollout,
    RolloutMember,
    VirtualCluster,
)
from clusters.models import VirtualClusterPhase as Phase
from clusters.services import rollout_actions
from clusters.services.rollout_advancing import rollout_advance, rollouts_advance
from clusters.services.rollout_deciding import rollout_abort, rollout_pause, rollout_resume, rollout_retry
from tests.accounts.conftest import MARINA
from tests.clusters.making import host_row, operation_row
from tests.clusters.rollouts.conftest import NEW, UNREADY, fresh


def olivia(fleet) -> Actor:
    return Actor(user=fleet.world.olivia)


# --- waves ------------------------------------------------------------------------------------------------------------


def test_the_canary_goes_first_and_the_next_wave_only_when_it_is_done(fleet):
    fleet.many(6)
    rollout = fleet.rollout(waves=["1", "50%"], max_parallel=2)
    assert fleet.tick() == ["c-000"]
    assert fleet.tick() == []
    fleet.work()
    assert fleet.tick() == ["c-001", "c-002"]
    fleet.work()
    assert fleet.tick() == ["c-003", "c-004"]
    fleet.work("c-004")
    assert fleet.tick() == ["c-005"]
    fleet.work()
    fleet.tick()
    assert (fresh(rollout).state, fresh(rollout).message) == ("Succeeded", "It has ended: 6 succeeded.")


def test_between_waves_it_pauses_for_its_time(fleet):
    fleet.many(2)
    rollout = fleet.rollout(waves=["1"], pause_seconds=600)
    fleet.tick()
    fleet.work()
    assert fleet.tick() == []
    assert "begins at" in fresh(rollout).message
    assert fleet.tick(seconds=590) == []
    assert fleet.tick(seconds=15) == ["c-001"]


def test_a_pause_without_a_time_ends_when_somebody_resumes_it_who_was_told(fleet):
    fleet.many(2)
    rollout = fleet.rollout(waves=["1"], pause_seconds=None)
    fleet.tick()
    fleet.work()
    assert [fleet.tick(), fleet.tick(days=3)] == [[], []]
    assert fresh(rollout).state == "Paused"
    note = Notification.objects.get(kind="rollout-paused")
    assert (note.recipient, note.command) == (fleet.world.olivia, "marina rollout resume spring")
    rollout_resume(rollout=fresh(rollout), actor=olivia(fleet), now=fleet.now)
    assert fleet.tick() == ["c-001"]


def test_resuming_ends_a_pause_that_has_a_time(fleet):
    fleet.many(2)
    rollout = fleet.rollout(waves=["1"], pause_seconds=86400)
    fleet.tick()
    fleet.work()
    fleet.tick()
    rollout_resume(rollout=fresh(rollout), actor=olivia(fleet), now=fleet.now)
    assert fleet.tick() == ["c-001"]


def test_200_clusters_go_through_never_more_at_once_than_allowed_and_each_once(fleet, drive):
    fleet.many(200)
    rollout = fleet.rollout(waves=["1", "10%", "50%", "100%"], max_parallel=25)
    most = 0
    for _ in range(60):
        fleet.tick()
        most = max(most, RolloutMember.objects.filter(state="Running").count())
        fleet.work()
        if fresh(rollout).ended:
            break
    assert fresh(rollout).state == "Succeeded"
    assert most == 25
    assert sorted(fleet.begun) == [f"c-{number:03}" for number in range(200)]
    assert VirtualCluster.objects.filter(kubernetes_version=NEW).count() == 200


def test_a_round_of_200_clusters_costs_as_much_as_one_of_20(fleet, django_assert_max_num_queries):
    fleet.many(200)
    fleet.rollout(waves=["100%"], max_parallel=20)
    fleet.tick()
    with django_assert_max_num_queries(75):  # 20 at work are looked at, the 180 that wait are counted
        fleet.tick()


# --- what counts as done ----------------------------------------------------------------------------------------------


def test_a_cluster_counts_only_when_it_is_as_it_was_asleep_ones_asleep(fleet):
    fleet.make("awake")
    fleet.make("asleep", sleeping=True)
    fleet.phase("asleep", Phase.ASLEEP)
    rollout = fleet.rollout(waves=["100%"], failure_budget="2")
    fleet.tick()
    fleet.work()
    fleet.phase("asleep", Phase.READY)
    fleet.tick()
    assert fleet.states(rollout) == {"awake": "Succeeded", "asleep": "Failed"}
    assert fleet.told(rollout)["asleep"] == "It was Asleep before, and is Ready now."


def test_one_that_somebody_put_to_sleep_meanwhile_is_as_well_as_before(fleet):
    (cluster,) = fleet.make("hello")
    rollout = fleet.rollout()
    fleet.tick()
    fleet.work()
    operation_row(cluster, OperationKind.SLEEP, state=OperationState.SUCCEEDED)
    fleet.phase("hello", Phase.ASLEEP)
    fleet.tick()
    assert fresh(rollout).state == "Succeeded"


def test_one_that_is_still_changing_is_waited_for_and_not_for_ever(fleet):
    fleet.make("hello")
    rollout = fleet.rollout()
    fleet.tick()
    fleet.work()
    fleet.phase("hello", Phase.UPDATING)
    fleet.tick(minutes=29)
    assert fleet.states(rollout) == {"hello": "Running"}
    fleet.tick(minutes=2)
    assert fleet.told(rollout)["hello"] == "It did not come to rest. It is Updating."
    assert fresh(rollout).state == "Completed"


def test_soaking_takes_its_time_and_what_goes_ill_meanwhile_has_failed(fleet):
    fleet.many(3)
    rollout = fleet.rollout(waves=["2"], soak_seconds=300, failure_budget="1")
    fleet.tick()
    fleet.work()
    fleet.tick()
    assert set(fleet.states(rollout).values()) == {"Soaking", "Queued"}
    fleet.phase("c-001", Phase.FAILED)
    fleet.tick(seconds=10)
    assert fleet.states(rollout)["c-001"] == "Failed"
    assert fleet.tick(seconds=280) == []
    assert fleet.tick(seconds=15) == ["c-002"]


def test_a_canary_whose_workloads_are_not_as_before_has_failed_and_nothing_follows_it(fleet):
    fleet.many(3)
    rollout = fleet.rollout(waves=["1"], soak_seconds=300)
    fleet.tick()
    fleet.work(differs=("c-000",))
    fleet.tick()
    assert fleet.states(rollout)["c-000"] == "Soaking"
    assert fleet.tick(seconds=310) == []
    assert fleet.states(rollout) == {"c-000": "Failed", "c-001": "Queued", "c-002": "Queued"}
    assert fleet.told(rollout)["c-000"] == f"It was upgraded, and is not as before: {UNREADY}"
    assert fresh(rollout).state == "Halted"


def test_whoever_accepted_differences_has_the_rollout_go_on(fleet):
    fleet.many(2)
    rollout = fleet.rollout(waves=["1"], choices={"differences": "accept"})
    fleet.tick()
    fleet.work(differs=("c-000",))
    assert fleet.tick() == ["c-001"]
    fleet.work(differs=("c-001",))
    fleet.tick()
    assert (fresh(rollout).state, fleet.told(rollout)["c-000"]) == ("Succeeded", "")


def test_of_many_differences_the_first_are_told_and_the_rest_counted(fleet):
    fleet.make("hello")
    rollout = fleet.rollout()
    fleet.tick()
    operation = Operation.objects.get(kind=OperationKind.UPGRADE)
    operation.params |= {"differences": [f"Node n-{number} is gone." for number in range(7)]}
    operation.state, operation.finished_at = OperationState.SUCCEEDED, fleet.now
    operation.save()
    fleet.tick()
    assert fleet.told(rollout)["hello"].endswith("Node n-4 is gone. And 2 more.")


# --- failures ---------------------------------------------------------------------------------------------------------


def test_more_failures_than_the_budget_halt_it_once_and_what_is_at_work_ends(fleet):
    fleet.many(8)
    rollout = fleet.rollout(waves=["100%"], max_parallel=3, failure_budget="1")
    fleet.tick()
    fleet.work("c-000", fails=("c-000",))
    assert fleet.tick() == ["c-003"]
    fleet.work("c-001", fails=("c-001",))
    assert [fleet.tick(), fleet.tick()] == [[], []]
    assert fresh(rollout).state == "Halted"
    assert "2 of its clusters failed, and 1 may" in fresh(rollout).message
    fleet.work()
    fleet.tick()
    assert list(fleet.states(rollout).values()) == ["Failed", "Failed", "Succeeded", "Succeeded", *["Queued"] * 4]
    assert Notification.objects.filter(kind="rollout-halted").count() == 1
    assert AuditEvent.objects.filter(action="rollout.halt", organization_id=fleet.world.acme.pk).count() == 1


def test_percent_of_all_clusters_may_fail(fleet):
    fleet.many(20)
    rollout = fleet.rollout(waves=["100%"], max_parallel=20, failure_budget="10%")
    fleet.tick()
    fleet.work(fails=("c-000", "c-001"))
    fleet.tick()
    assert (fresh(rollout).state, fresh(rollout).message) == ("Completed", "It has ended: 18 succeeded, 2 failed.")


def test_resumed_after_a_halt_old_failures_count_no_more(fleet):
    fleet.many(3)
    rollout = fleet.rollout(waves=["100%"], max_parallel=1)
    fleet.tick()
    fleet.work(fails=("c-000",))
    fleet.tick()
    assert fresh(rollout).state == "Halted"
    rollout_resume(rollout=fresh(rollout), actor=olivia(fleet), now=fleet.now)
    assert fleet.tick() == ["c-001"]
    fleet.work(fails=("c-001",))
    assert fleet.tick() == []
    assert fresh(rollout).state == "Halted"


def test_what_failed_is_tried_again_also_after_the_end(fleet):
    fleet.many(2)
    rollout = fleet.rollout(waves=["100%"], failure_budget="1")
    fleet.tick()
    fleet.work(fails=("c-001",))
    fleet.tick()
    assert fresh(rollout).state == "Completed"
    rollout_retry(rollout=fresh(rollout), actor=olivia(fleet), now=fleet.now)
    assert fleet.tick() == ["c-001"]
    fleet.work()
    fleet.tick()
    assert (fresh(rollout).state, fleet.states(rollout)) == ("Succeeded", {"c-000": "Succeeded", "c-001": "Succeeded"})
    with pytest.raises(Conflict):
        rollout_retry(rollout=fresh(rollout), actor=olivia(fleet), now=fleet.now)


def test_what_cannot_begin_has_failed_with_the_reason_and_halts_in_the_same_round(fleet):
    fleet.many(3)
    fleet.refuses["c-000"] = InvalidInput("1.34 has to come first.", field="spec.kubernetes_version", hint="Do that.")
    rollout = fleet.rollout(waves=["1"])
    assert fleet.tick() == []
    assert fleet.told(rollout)["c-000"] == "1.34 has to come first. Do that."
    assert fresh(rollout).state == "Halted"


# --- what does not fit any more ---------------------------------------------------------------------------------------


def test_a_busy_cluster_is_waited_for_and_keeps_no_other_from_its_turn(fleet):
    fleet.many(2)
    fleet.refuses["c-000"] = Conflict("It is busy.", operation_id=uuid4())
    rollout = fleet.rollout(waves=["100%"], max_parallel=1)
    assert fleet.tick() == ["c-001"]
    assert fleet.told(rollout)["c-000"] == "It is busy."
    fleet.work()
    del fleet.refuses["c-000"]
    assert fleet.tick() == []
    assert fleet.tick(seconds=10) == ["c-000"]


def test_an_operation_in_the_way_is_waited_for_as_the_table_of_kinds_says(fleet):
    (cluster,) = fleet.make("hello")
    restoring = operation_row(cluster, OperationKind.RESTORE, state=OperationState.PROCESSING)
    rollout = fleet.rollout()
    assert fleet.tick() == []
    assert fleet.states(rollout) == {"hello": "Queued"}
    Operation.objects.filter(pk=restoring.pk).update(state=OperationState.SUCCEEDED, finished_at=fleet.now)
    assert fleet.tick(seconds=10) == ["hello"]


def test_what_was_deleted_upgraded_or_moved_away_meanwhile_is_skipped_with_the_reason(fleet):
    clusters = fleet.make("gone", "done", "newer", "away", "stays")
    rollout = fleet.rollout(waves=["100%"])
    fleet.phase("gone", Phase.DELETED)
    VirtualCluster.objects.filter(name="done").update(kubernetes_version=NEW)
    VirtualCluster.objects.filter(name="newer").update(kubernetes_version="1.36.4")
    VirtualCluster.objects.filter(pk=clusters[3].pk).update(project=fleet.world.foreign)
    assert fleet.tick() == ["stays"]
    told = fleet.told(rollout)
    assert told == {
        "gone": "It is Deleted.",
        "done": f"It has Kubernetes {NEW} already.",
        "newer": f"It has Kubernetes 1.36.4, which is newer than {NEW}.",
        "away": "It is in globex/payments by now, which is of another organization.",
        "stays": "",
    }


def test_of_a_host_that_is_left_only_what_is_still_there_moves(fleet):
    fleet.make("stays", "left")
    rollout = fleet.rollout(action="migrate", kubernetes_version="", on_host=fleet.host, waves=["100%"], max_parallel=5)
    west = host_row("west")
    Placement.objects.filter(virtual_cluster__name="left").update(host=west)
    assert fleet.tick() == ["stays"]
    assert fleet.told(rollout)["left"] == "It is on west, and no longer on east."


def test_whoever_made_it_and_lost_the_role_begins_nothing_more(fleet, people):
    fleet.many(2)
    rollout = fleet.rollout(actor=Actor(user=people.ada), project=fleet.world.payments, waves=["1"])
    fleet.tick()
    fleet.work()
    binding = RoleBinding.objects.get(user=people.ada, project=fleet.world.payments)
    role_binding_delete(actor=MARINA, binding=binding, now=fleet.now)
    assert fleet.tick() == []
    assert fleet.states(rollout)["c-001"] == "Skipped"


def test_somebody_who_was_deactivated_halts_it(fleet, people):
    fleet.many(2)
    rollout = fleet.rollout(actor=Actor(user=people.ada), project=fleet.world.payments)
    type(people.ada).objects.filter(pk=people.ada.pk).update(is_active=False)
    assert fleet.tick() == []
    assert "ada, in whose name it acts" in fresh(rollout).message


# --- pause and abort --------------------------------------------------------------------------------------------------


def test_paused_it_begins_nothing_and_counts_what_ends(fleet):
    fleet.many(4)
    rollout = fleet.rollout(waves=["100%"], max_parallel=2)
    fleet.tick()
    rollout_pause(rollout=rollout, actor=olivia(fleet), now=fleet.now)
    fleet.work()
    assert fleet.tick() == []
    assert list(fleet.states(rollout).values()) == ["Succeeded", "Succeeded", "Queued", "Queued"]
    rollout_resume(rollout=fresh(rollout), actor=olivia(fleet), now=fleet.now)
    assert fleet.tick() == ["c-002", "c-003"]


def test_aborted_it_skips_what_waits_and_ends_with_what_is_at_work(fleet):
    fleet.many(4)
    rollout = fleet.rollout(waves=["100%"], max_parallel=2)
    fleet.tick()
    rollout_abort(rollout=rollout, actor=olivia(fleet), now=fleet.now)
    fleet.tick()
    assert fresh(rollout).state == "Aborting"
    fleet.work()
    fleet.tick()
    assert fresh(rollout).state == "Aborted"
    assert list(fleet.states(rollout).values()) == ["Succeeded", "Succeeded", "Skipped", "Skipped"]
    for decide in (rollout_pause, rollout_resume, rollout_abort, rollout_retry):
        with pytest.raises(Conflict):
            decide(rollout=fresh(rollout), actor=olivia(fleet), now=fleet.now)


# --- two over one cluster ---------------------------------------------------------------------------------------------


def test_a_second_rollout_over_a_cluster_is_refused_by_the_name_of_the_first(fleet):
    fleet.many(2)
    first = fleet.rollout()
    with pytest.raises(Conflict) as refused:
        fleet.rollout(name="summer")
    assert "the rollout spring (Running)" in str(refused.value)
    rollout_abort(rollout=first, actor=olivia(fleet), now=fleet.now)
    assert fleet.rollout(name="summer").members.count() == 2


# --- crashes and twins ------------------------------------------------------------------------------------------------


def test_a_crash_in_the_middle_of_a_round_leaves_nothing_half_done(fleet, monkeypatch):
    fleet.many(3)
    rollout = fleet.rollout(waves=["100%"], max_parallel=3)
    begin, calls = fleet.begin, []

    def dies(**given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt  # as a killed process: nothing is caught, nothing is committed
        return begin(**given)

    monkeypatch.setitem(rollout_actions._BEGINS, "upgrade", dies)
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        rollouts_advance(now=fleet.now)
    assert set(fleet.states(rollout).values()) == {"Queued"}
    assert not Operation.objects.filter(kind=OperationKind.UPGRADE).exists()
    fleet.tick()
    assert Operation.objects.filter(kind=OperationKind.UPGRADE).count() == 3


def test_what_is_wrong_with_one_rollout_keeps_no_other_back(fleet, monkeypatch):
    fleet.make("one", labels={"of": "one"})
    fleet.make("two", labels={"of": "two"})
    broken = fleet.rollout(labels={"of": "one"})
    fleet.rollout(name="summer", labels={"of": "two"})
    Rollout.objects.filter(pk=broken.pk).update(wish={"no": "wish"})
    assert fleet.tick() == ["two"]


@pytest.mark.django_db(transaction=True)
def test_two_tickers_at_once_begin_each_cluster_once(fleet):
    fleet.many(12)
    rollout = fleet.rollout(waves=["100%"], max_parallel=4)
    for _ in range(4):
        begin = Barrier(4)

        def act(_: int, begin=begin) -> None:
            begin.wait()
            try:
                rollouts_advance(now=fleet.now)
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(act, range(4)))
        assert RolloutMember.objects.filter(state="Running").count() <= 4
        fleet.work()
    rollouts_advance(now=fleet.now)
    assert fresh(rollout).state == "Succeeded"
    assert sorted(fleet.begun) == [f"c-{number:03}" for number in range(12)]
    assert Operation.objects.filter(kind=OperationKind.UPGRADE).count() == 12


@pytest.mark.django_db(transaction=True)
def test_one_that_another_process_has_is_passed_by(fleet):
    fleet.many(1)
    rollout = fleet.rollout()
    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        Rollout.objects.select_for_update().get(pk=rollout.pk)

        def other() -> bool:
            try:
                return rollout_advance(rollout.pk, now=fleet.now)
            finally:
                connection.close()

        assert pool.submit(other).result(10) is False
    assert rollout_advance(rollout.pk, now=fleet.now) is True


def test_rounds_that_were_lost_for_hours_lose_nothing(fleet, drive):
    fleet.many(5)
    rollout = fleet.rollout(waves=["1"], pause_seconds=60)
    fleet.tick()
    fleet.work()
    fleet.tick(hours=7)
    fleet.tick(hours=7)
    drive(rollout)
    assert fresh(rollout).state == "Succeeded"
    assert len(fleet.begun) == 5


def test_operations_are_asked_for_in_the_name_of_whoever_made_it(fleet):
    fleet.many(1)
    fleet.rollout()
    fleet.tick()
    assert Operation.objects.get(kind=OperationKind.UPGRADE).requested_by == fleet.world.olivia
    assert fleet.actors[0].platform is False
