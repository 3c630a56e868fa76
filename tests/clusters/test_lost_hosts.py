"""Saying over the API that a host is lost, found, or to be emptied: who may, what is shown first, what is refused."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent, Notification
from clusters.models import (
    Breaker,
    HostCluster,
    HostScope,
    Operation,
    OperationKind,
    Placement,
    PlacementRole,
    Rollout,
    RolloutMemberState,
)
from clusters.services.export_retention import exports_expire
from clusters.services.rollout_advancing import rollouts_advance
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem
from tests.clusters.export_making import export_row
from tests.clusters.making import host_row, operation_row, ready_row

URL = "/api/v1/host-clusters"


@pytest.fixture
def ada(people):
    return signed_in(people.ada)


@pytest.fixture
def staff(world):
    return signed_in(world.staff)


@pytest.fixture
def cluster(world, host):
    return ready_row(world, host)


@pytest.fixture
def silent(host):
    HostCluster.objects.filter(pk=host.pk).update(breaker=Breaker.OPEN)
    return HostCluster.objects.get(pk=host.pk)


def lost(client, host, *, dry_run=False, **body):
    return client.post(f"{URL}/{host.pk}/lost{'?dry_run=true' if dry_run else ''}", body, "json")


def exported(cluster, *, ago=timedelta(hours=3), **fields):
    return export_row(cluster, state="Complete", finished_at=timezone.now() - ago, objects_count=7, **fields)


def test_what_would_be_lost_is_shown_before_anything_is_done(staff, silent, cluster):
    host_row("west")
    export = exported(cluster)
    answer = lost(staff, silent, dry_run=True)
    assert answer.status_code == 202, answer.content
    (shown,) = answer.json()["clusters"]
    assert (shown["name"], shown["to"], shown["waits"]) == ("hello", "west", "")
    assert (shown["export"]["id"], shown["export"]["objects"]) == (str(export.pk), 7)
    assert shown["comes_back"] == f"As it was exported on {export.finished_at:%Y-%m-%d %H:%M} UTC (request)."
    assert not Operation.objects.filter(kind=OperationKind.RECOVER).exists()
    assert HostCluster.objects.get(pk=silent.pk).lost_at is None


def test_where_it_can_go_nowhere_the_reason_is_shown(staff, silent, cluster):
    host_row("west", cordoned=True)
    Placement.objects.update(kubernetes_version="1.36.3")
    (shown,) = lost(staff, silent, dry_run=True).json()["clusters"]
    assert "west: It is cordoned: it takes nothing new." in shown["waits"]
    assert shown["comes_back"] == "It was never exported: it can only come back empty."


def test_each_cluster_is_given_up_and_made_again(staff, silent, world, cluster):
    second = ready_row(world, silent, "second", sleeping=True, asleep_by="olivia", asleep_why="night")
    export = exported(cluster)
    answer = lost(staff, silent, reason="It burned.").json()
    recoveries = {each.virtual_cluster_id: each for each in Operation.objects.filter(kind=OperationKind.RECOVER)}
    assert recoveries[cluster.pk].params == {"lost_host": "east", "empty": True, "export": str(export.pk)}
    assert recoveries[second.pk].params["slept"] == {"by": "olivia", "why": "night"}
    assert {each["operation"] for each in answer["clusters"]} == {str(each.pk) for each in recoveries.values()}
    assert set(Placement.objects.values_list("role", flat=True)) == {PlacementRole.LOST}
    assert Operation.objects.filter(kind=OperationKind.QUARANTINE).count() == 2
    host = HostCluster.objects.get(pk=silent.pk)
    assert (host.cordoned, host.lost_why, answer["host_cluster"]["lost_at"] is None) == (True, "It burned.", False)
    audited = AuditEvent.objects.get(action="host.lost")
    assert audited.details == {"clusters": 2, "reason": "It burned."}
    assert Notification.objects.filter(kind="cluster-lost").count() == 2


def test_a_host_that_answers_takes_force_and_a_reason(staff, host, cluster):
    refused = problem(lost(staff, host), 409, "host-answers")
    assert "marina host evacuate east" in refused["hint"]
    problem(lost(staff, host, force=True), 400, "invalid")
    assert lost(staff, host, force=True, reason="Its disks fail.").status_code == 202


def test_what_is_at_work_for_it_is_superseded(staff, silent, cluster):
    waiting = operation_row(cluster, OperationKind.CONFIGURE, state="Processing", waiting_host=silent)
    assert lost(staff, silent).status_code == 202
    waiting.refresh_from_db()
    assert (waiting.abort_requested, waiting.waiting_host) == (True, None)
    assert Operation.objects.get(kind=OperationKind.RECOVER).state == "Queued"


def test_a_move_to_the_lost_host_is_put_back_and_its_cluster_stays(staff, silent, world):
    west = host_row("west")
    moving = ready_row(world, west, "moving")
    target = {"host": silent, "role": PlacementRole.TARGET, "namespace": "marina-t", "release": "t"}
    Placement.objects.create(virtual_cluster=moving, **target)
    move = operation_row(moving, OperationKind.MIGRATE, state="Processing", waiting_host=silent)
    answer = lost(staff, silent).json()
    assert answer["clusters"] == []
    assert answer["moves_put_back"] == [{"id": str(move.pk), "virtual_cluster": "acme/payments/moving"}]
    move.refresh_from_db()
    assert (move.abort_requested, move.message) == (True, "east, to which it was moved, is lost.")
    assert not Operation.objects.filter(kind=OperationKind.RECOVER).exists()


def test_whose_clusters_one_may_not_see_are_counted_only(world, people):
    host = host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme, breaker=Breaker.OPEN)
    ready_row(world, host, "mine")
    ready_row(world, host, "theirs", project=world.foreign)
    answer = lost(signed_in(world.olivia), host, dry_run=True).json()
    assert ([each["name"] for each in answer["clusters"]], answer["hidden"]) == (["mine"], 1)


def test_only_who_may_change_a_host_may_give_it_up(ada, silent, cluster):
    problem(lost(ada, silent), 403, "forbidden")
    assert HostCluster.objects.get(pk=silent.pk).lost_at is None


def test_the_last_export_stays_as_long_as_what_was_lost_is_not_back(staff, silent, cluster):
    export = exported(cluster, expires_at=timezone.now() - timedelta(days=1))
    lost(staff, silent)
    Operation.objects.filter(kind=OperationKind.RECOVER).update(state="Failed", finished_at=timezone.now())
    assert exports_expire(now=timezone.now()) == 0
    export.refresh_from_db()
    assert export.state == "Complete"


# --- emptying a host that works ---------------------------------------------------------------------------------------


def evacuate(client, host, **body):
    return client.post(f"{URL}/{host.pk}/evacuate", body, "json")


def test_a_host_is_emptied_by_a_rollout_of_moves(staff, host, world, cluster):
    west = host_row("west")
    ready_row(world, host, "second")
    ready_row(world, west, "elsewhere")
    answer = evacuate(staff, host, choices={"volumes": "recreate-empty"}, max_parallel=2)
    assert answer.status_code == 202, answer.content
    shown = answer.json()
    assert (shown["host_cluster"]["cordoned"], shown["rollout"]["name"]) == (True, "evacuate-east")
    assert shown["rollout"]["clusters"]["total"] == 2
    rollout = Rollout.objects.get()
    assert (rollout.action, rollout.max_parallel, rollout.failures_allowed) == ("migrate", 2, 2)
    rollouts_advance(now=timezone.now())
    moves = Operation.objects.filter(kind=OperationKind.MIGRATE)
    assert {each.virtual_cluster.name for each in moves} == {"hello", "second"}
    assert all(each.params["choices"] == {"volumes": "recreate-empty"} for each in moves)


def test_what_can_go_nowhere_stays_and_says_why(staff, host, cluster):
    assert evacuate(staff, host).status_code == 202
    rollouts_advance(now=timezone.now())
    member = Rollout.objects.get().members.get()
    assert member.state == RolloutMemberState.FAILED
    assert "No other host cluster" in member.message
    assert Placement.objects.get().role == PlacementRole.ACTIVE


def test_a_host_on_which_nothing_is_is_cordoned_only(staff, host):
    shown = evacuate(staff, host).json()
    assert (shown["rollout"], shown["host_cluster"]["cordoned"]) == (None, True)


def test_a_lost_host_is_not_emptied(staff, silent, cluster):
    lost(staff, silent)
    problem(evacuate(staff, silent), 409, "conflict")


def test_an_organizations_admin_empties_its_own_host(world, people):
    host = host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme)
    ready_row(world, host, "mine")
    answer = evacuate(signed_in(world.olivia), host)
    assert answer.status_code == 202, answer.content
    assert Rollout.objects.get().organization == world.acme
