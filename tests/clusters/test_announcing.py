"""Events out of operations: each end is told once, with what it means for its cluster or host."""

import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import WebhookDelivery
from accounts.webhook_event_types import EVENT_TYPES
from clusters.models import HostScope, Operation, OperationKind, OperationState
from clusters.services import announcing
from clusters.services.announcing import operations_announce
from tests.accounts.conftest import world_make
from tests.accounts.webhook_making import webhook_for
from tests.clusters.making import cluster_row, host_row, operation_row, ready_row

URL = "https://hooks.example.org/marina"


def ended(subject, kind: OperationKind, state=OperationState.SUCCEEDED, **fields) -> Operation:
    return operation_row(subject, kind, state=state, finished_at=timezone.now(), **fields)


def announce() -> int:
    return operations_announce(now=timezone.now())


def told() -> list[str]:
    return list(WebhookDelivery.objects.order_by("id").values_list("type", flat=True))


@pytest.mark.parametrize(
    ("kind", "state", "types"),
    [
        (OperationKind.PROVISION, OperationState.SUCCEEDED, ["operation.succeeded", "virtual-cluster.ready"]),
        (OperationKind.PROVISION, OperationState.FAILED, ["operation.failed", "virtual-cluster.failed"]),
        (OperationKind.PROVISION, OperationState.ABORTED, ["operation.aborted"]),
        (OperationKind.CONFIGURE, OperationState.SUCCEEDED, ["operation.succeeded", "virtual-cluster.changed"]),
        (OperationKind.MIGRATE, OperationState.SUCCEEDED, ["operation.succeeded", "virtual-cluster.moved"]),
        (OperationKind.MIGRATE, OperationState.FAILED, ["operation.failed", "virtual-cluster.failed"]),
        (OperationKind.PREFLIGHT, OperationState.SUCCEEDED, ["operation.succeeded"]),
        (OperationKind.DELETE, OperationState.SUCCEEDED, ["operation.succeeded", "virtual-cluster.deleted"]),
        (OperationKind.DELETE, OperationState.FAILED, ["operation.failed", "virtual-cluster.failed"]),
        (OperationKind.ISSUE_KUBECONFIG, OperationState.SUCCEEDED, ["operation.succeeded"]),
        (
            OperationKind.ADOPT,
            OperationState.SUCCEEDED,
            ["operation.succeeded", "virtual-cluster.created", "virtual-cluster.ready"],
        ),
    ],
)
def test_an_end_is_told_as_itself_and_as_what_it_means(world, kind, state, types):
    webhook_for(world.acme, URL)
    ended(cluster_row(world), kind, state)
    assert announce() == 1
    assert told() == types
    assert announce() == 0


# of what they do, nothing of the cluster is told besides that they ended
OF_NO_EVENT = (
    OperationKind.ISSUE_KUBECONFIG,
    OperationKind.REVOKE_ACCESS,
    OperationKind.PREFLIGHT,
    OperationKind.REMOVE_PLACEMENT,
    OperationKind.QUARANTINE,
)


def test_every_kind_that_ends_well_or_badly_has_types_that_there_are():
    for table in (announcing._SUCCEEDED, announcing._FAILED):
        for kind in OperationKind:
            assert kind in table or kind in OF_NO_EVENT
            assert set(table.get(kind, ())) <= set(EVENT_TYPES)


def test_the_payload_names_objects_in_short_and_says_why_it_failed(world, people):
    webhook_for(world.acme, URL)
    cluster = cluster_row(world)
    error = {"error_code": "quota", "error_message": "Too much.", "error_hint": "Ask for less."}
    operation = ended(cluster, OperationKind.PROVISION, OperationState.FAILED, requested_by=people.dan, **error)
    announce()
    payload = WebhookDelivery.objects.filter(type="operation.failed").get().payload
    assert payload["timestamp"].endswith("Z")
    data = payload["data"]
    assert data["operation"]["id"] == str(operation.pk)
    assert data["operation"]["requested_by"] == {"id": str(people.dan.pk), "handle": "dan"}
    assert data["operation"]["error"] == {"code": "quota", "message": "Too much.", "hint": "Ask for less."}
    assert data["virtual_cluster"] == {"id": str(cluster.pk), "name": "hello"}
    assert data["project"]["organization"]["name"] == data["organization"]["name"] == "acme"


def test_what_a_worker_must_not_tell_is_in_no_payload(world):
    webhook_for(world.acme, URL)
    cluster = cluster_row(world, values={"controlPlane": {"env": "canary-value"}})
    ended(
        cluster, OperationKind.ISSUE_KUBECONFIG, params={"public_key": "canary-param"}, sealed_result=b"canary-sealed"
    )
    announce()
    assert "canary" not in str(list(WebhookDelivery.objects.values()))


def test_a_project_and_an_organization_are_told_of_their_own_only(world):
    own = webhook_for(world.acme, URL, project=world.payments)
    for other in (webhook_for(world.acme, URL, project=world.search), webhook_for(world.globex, URL)):
        assert other.webhook.pk != own.webhook.pk
    ended(cluster_row(world), OperationKind.PROVISION)
    announce()
    assert {row.webhook_id for row in WebhookDelivery.objects.all()} == {own.webhook.pk}


def test_hosts_of_the_organization_are_told_and_those_of_the_platform_to_no_tenant(world):
    webhook_for(world.acme, URL)
    ended(host_row("east"), OperationKind.CONNECT)
    own = host_row("west", scope=HostScope.ORGANIZATION, organization=world.acme)
    ended(own, OperationKind.CONNECT)
    assert announce() == 2
    assert told() == ["operation.succeeded", "host-cluster.connected"]


def test_one_that_failed_was_tried_again_and_failed_again_is_told_twice(world):
    webhook_for(world.acme, URL, events=["operation.*"])
    operation = ended(cluster_row(world), OperationKind.PROVISION, OperationState.FAILED)
    announce()
    Operation.objects.filter(pk=operation.pk).update(finished_at=None, state=OperationState.PENDING)
    assert announce() == 0
    Operation.objects.filter(pk=operation.pk).update(finished_at=timezone.now(), state=OperationState.FAILED)
    assert announce() == 1
    assert told() == ["operation.failed", "operation.failed"]
    assert len(set(WebhookDelivery.objects.values_list("event_id", flat=True))) == 2


def test_what_ended_while_there_was_no_webhook_is_not_told_later(world):
    ended(cluster_row(world), OperationKind.PROVISION)
    assert announce() == 1
    webhook_for(world.acme, URL)
    assert announce() == 0
    assert told() == []


def test_what_goes_on_is_not_told(world, host):
    webhook_for(world.acme, URL)
    cluster = ready_row(world, host)
    operation_row(cluster, OperationKind.CONFIGURE, state=OperationState.PROCESSING)
    assert announce() == 0


def test_many_ends_cost_a_fixed_number_of_queries(world, django_assert_max_num_queries):
    webhook_for(world.acme, URL)
    for number in range(60):
        ended(cluster_row(world, f"c-{number}"), OperationKind.PROVISION)
    with django_assert_max_num_queries(9):
        assert announce() == 60
    assert WebhookDelivery.objects.count() == 120


@pytest.mark.django_db(transaction=True)
def test_an_end_that_is_committed_late_is_told_and_two_jobs_tell_each_once():
    world = world_make()
    webhook_for(world.acme, URL, events=["operation.*"])
    for number in range(30):
        ended(cluster_row(world, f"c-{number}"), OperationKind.PROVISION)
    written, commit, barrier = threading.Event(), threading.Event(), threading.Barrier(2)

    def slowly() -> None:
        with transaction.atomic():
            ended(cluster_row(world, "slow"), OperationKind.PROVISION)
            written.set()
            commit.wait(20)
        connection.close()

    def job() -> None:
        barrier.wait()
        announce()
        connection.close()

    slow = threading.Thread(target=slowly)
    slow.start()
    assert written.wait(10)
    ended(cluster_row(world, "younger"), OperationKind.PROVISION)
    jobs = [threading.Thread(target=job) for _ in range(2)]
    for each in jobs:
        each.start()
    for each in jobs:
        each.join()
    announce()
    assert WebhookDelivery.objects.count() == 31
    commit.set()
    slow.join()
    announce()
    assert WebhookDelivery.objects.count() == 32
