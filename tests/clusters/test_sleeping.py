"""Asking for sleep and for waking: what is begun, what is not, and who may."""

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.services.audit import Actor
from clusters.models import Operation, OperationKind, OperationState, VirtualCluster, VirtualClusterPhase
from clusters.services.sleeping import virtual_cluster_sleep
from clusters.services.waking import wake_for
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem
from tests.clusters.making import operation_row, ready_row

URL = "/api/v1/virtual-clusters"


@pytest.fixture
def vera(people):
    return signed_in(people.vera)


@pytest.fixture
def cluster(world, host):
    return ready_row(world, host)


def ask(client, cluster, verb, status=202, **body):
    answer = client.post(f"{URL}/{cluster.pk}/{verb}", body or None, "json")
    assert answer.status_code == status, answer.content
    return answer.json()


def asleep(cluster):
    since = timezone.now()
    VirtualCluster.objects.filter(pk=cluster.pk).update(
        phase=VirtualClusterPhase.ASLEEP, sleeping=True, asleep_since=since, asleep_by="ana", asleep_why="Night."
    )


def kinds():
    return list(Operation.objects.order_by("id").values_list("kind", "state"))


def test_sleep_is_an_operation_that_knows_who_asked_and_why(dan, cluster):
    operation = ask(dan, cluster, "sleep", why="Closed.")["operation"]
    assert (operation["kind"], operation["state"]) == ("sleep", "Pending")
    params = Operation.objects.get(pk=operation["id"]).params
    assert params == {"by": "dan", "why": "Closed.", "lose_pods": False}
    row = AuditEvent.objects.get(action="virtualcluster.sleep")
    assert row.details == {"operation": operation["id"], "why": "Closed."}
    assert ask(dan, cluster, "sleep", 200)["operation"]["id"] == operation["id"], "it falls asleep already"


def test_a_schedule_is_named_in_place_of_a_person(world, cluster):
    actor = Actor(user=None, name="marina schedule")
    work = virtual_cluster_sleep(virtual_cluster=cluster, actor=actor, now=timezone.now(), by="the schedule of acme")
    assert work.operation.params["by"] == "the schedule of acme"


def test_what_is_so_already_begins_nothing_and_is_shown(dan, cluster):
    assert ask(dan, cluster, "wake", 200)["operation"]["kind"] == "provision"
    asleep(cluster)
    answer = ask(dan, cluster, "sleep", 200)
    told = answer["virtual_cluster"]["asleep"]
    assert (told["by"], told["why"]) == ("ana", "Night.")
    assert ask(dan, cluster, "sleep", 200)["virtual_cluster"]["phase"] == "Asleep"
    assert kinds() == [("provision", "Succeeded")]


def test_waking_ends_a_sleep_that_is_under_way_and_sleep_waits_for_a_waking(dan, cluster):
    sleep = operation_row(cluster, OperationKind.SLEEP, state=OperationState.PROCESSING)
    VirtualCluster.objects.update(phase=VirtualClusterPhase.FALLING_ASLEEP)
    wake = ask(dan, cluster, "wake")["operation"]
    sleep.refresh_from_db()
    assert (sleep.abort_requested, wake["state"]) == (True, "Queued")
    assert ask(dan, cluster, "wake", 200)["operation"]["id"] == wake["id"]
    assert ask(dan, cluster, "sleep")["operation"]["state"] == "Queued"


def test_what_failed_does_not_sleep_and_says_what_to_do(dan, cluster):
    VirtualCluster.objects.update(phase=VirtualClusterPhase.FAILED)
    for verb in ("sleep", "wake"):
        told = problem(dan.post(f"{URL}/{cluster.pk}/{verb}"), 409, "conflict")
        assert "marina configure hello --project acme/payments" in told["hint"]


def test_a_waking_that_failed_can_be_asked_for_again(dan, cluster):
    operation_row(cluster, OperationKind.WAKE, state=OperationState.FAILED, finished_at=timezone.now())
    VirtualCluster.objects.update(phase=VirtualClusterPhase.FAILED)
    assert ask(dan, cluster, "wake")["operation"]["kind"] == "wake"


@pytest.mark.parametrize("verb", ["sleep", "wake"])
def test_what_is_being_deleted_does_neither(dan, cluster, verb):
    deletion = operation_row(cluster, OperationKind.DELETE, state=OperationState.PROCESSING)
    told = problem(dan.post(f"{URL}/{cluster.pk}/{verb}"), 409, "conflict")
    assert told["operation_id"] == str(deletion.pk)


def test_whoever_may_use_it_may_wake_it_and_not_put_it_to_sleep(vera, cluster):
    told = problem(vera.post(f"{URL}/{cluster.pk}/sleep"), 403, "forbidden")
    assert "project developer" in told["detail"] + told["hint"]
    asleep(cluster)
    assert ask(vera, cluster, "wake")["operation"]["kind"] == "wake"


def test_unknown_words_are_refused_by_name(dan, cluster):
    answer = dan.post(f"{URL}/{cluster.pk}/sleep", {"force": True}, "json")
    assert "force" in str(problem(answer, 400, "invalid")["errors"])


def test_the_gateway_wakes_what_is_asleep_and_nothing_else(cluster):
    assert wake_for(cluster_id=cluster.pk, handle="ana", now=timezone.now()) is None
    asleep(cluster)
    operation = wake_for(cluster_id=cluster.pk, handle="ana", now=timezone.now())
    assert operation is not None
    assert operation.kind == "wake"
    assert AuditEvent.objects.get(action="virtualcluster.wake").details["for"] == "ana"
