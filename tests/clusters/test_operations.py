"""Operations are seen by who sees their object, retried and aborted by who may change it."""

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from clusters.models import HostScope, Operation, OperationEvent, OperationKind, OperationState
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import cluster_row, host_row, operation_row

URL = "/api/v1/operations"
CONNECT, PROVISION, DELETE = OperationKind.CONNECT, OperationKind.PROVISION, OperationKind.DELETE


@pytest.fixture
def fleet(world, people):
    """Operations of every kind of object, by a word for each."""
    own = host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme)
    foreign = cluster_row(world, "foreign", project=world.foreign, owner_user=people.eve, creator=people.eve)
    return {
        "platform-host": operation_row(host_row("east"), CONNECT),
        "own-host": operation_row(own, CONNECT),
        "cluster": operation_row(cluster_row(world), PROVISION),
        "other-project": operation_row(cluster_row(world, "searcher", project=world.search), PROVISION),
        "other-organization": operation_row(foreign, PROVISION),
    }


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("vera", {"cluster"}),
        ("dan", {"cluster"}),
        ("ada", {"cluster"}),
        ("otto", {"cluster", "other-project"}),
        ("olivia", {"cluster", "other-project", "own-host"}),
        ("mia", set()),
        ("eve", {"other-organization"}),
        ("op", {"platform-host", "own-host"}),
        ("staff", {"platform-host", "own-host"}),
    ],
)
def test_operations_are_seen_by_who_sees_their_object(world, people, fleet, who, seen):
    client = signed_in(getattr(people, who, None) or getattr(world, who))
    listed = {each["id"] for each in client.get(URL).json()["results"]}
    assert listed == {str(fleet[name].pk) for name in seen}
    for name, operation in fleet.items():
        answer = client.get(f"{URL}/{operation.pk}")
        assert answer.status_code == (200 if name in seen else 404), name


def test_one_is_shown_with_its_steps_its_error_and_what_happened(dan, world):
    steps = [
        {"key": "a", "name": "Do a", "state": "done", "started_at": "2026-01-01T00:00:00Z"},
        {"key": "b", "name": "Do b", "state": "failed", "note": "x"},
        {"key": "c", "name": "Do c", "state": "waiting"},
    ]
    operation = operation_row(
        cluster_row(world),
        PROVISION,
        state=OperationState.FAILED,
        steps=steps,
        step=1,
        error_code="unreachable",
        error_message="It does not answer.",
        error_hint="Wait.",
        message="“Do b” failed: It does not answer.",
    )
    for number in range(2):
        OperationEvent.objects.create(operation=operation, time=timezone.now(), step="b", text=f"Event {number}")
    body = dan.get(f"{URL}/{operation.pk}").json()
    assert (body["steps_done"], body["steps_total"], body["state"]) == (1, 3, "Failed")
    assert [step["state"] for step in body["steps"]] == ["done", "failed", "waiting"]
    assert body["error"] == {"code": "unreachable", "message": "It does not answer.", "hint": "Wait."}
    assert [event["text"] for event in body["events"]] == ["Event 0", "Event 1"]
    assert "params" not in body
    listed = dan.get(URL).json()["results"][0]
    assert "events" not in listed


def test_lists_are_filtered(world, people, fleet):
    client = signed_in(world.olivia)
    cluster = fleet["cluster"].virtual_cluster
    operation_row(cluster, DELETE, state=OperationState.QUEUED)
    own = fleet["own-host"].host
    for query, count in (
        (f"virtual_cluster={cluster.pk}", 2),
        (f"host_cluster={own.pk}", 1),
        ("kind=delete", 1),
        ("kind=delete&kind=connect", 2),
        ("state=Queued", 1),
        ("state=Pending", 3),
        ("state=Failed", 0),
        (f"virtual_cluster={cluster.pk}&kind=provision", 1),
    ):
        assert len(client.get(f"{URL}?{query}").json()["results"]) == count, query
    refused(client.get(f"{URL}?state=Sleepy"), "state")
    refused(client.get(f"{URL}?kind=dance"), "kind")
    refused(client.get(f"{URL}?virtual_cluster=hello"), "virtual_cluster")
    newest = client.get(URL).json()["results"][0]
    assert newest["kind"] == "delete", "newest first"


def failed(subject, kind=PROVISION, **fields) -> Operation:
    steps = [{"key": "a", "name": "Do a", "state": "failed"}]
    return operation_row(subject, kind, state=OperationState.FAILED, error_code="x", steps=steps, **fields)


def test_a_failed_operation_is_retried_and_recorded(dan, world):
    operation = failed(cluster_row(world))
    answer = dan.post(f"{URL}/{operation.pk}/retry")
    assert answer.status_code == 202, answer.content
    body = answer.json()["operation"]
    assert (body["state"], body["error"], body["message"]) == ("Pending", None, "Tried again.")
    assert answer["Operation-Location"] == f"{URL}/{operation.pk}"
    assert AuditEvent.objects.get(action="operation.retry").object_id == str(operation.pk)
    assert operation.events.get().text == "Tried again by dan."
    assert "Only a Failed operation" in problem(dan.post(f"{URL}/{operation.pk}/retry"), 409)["detail"]


def test_what_was_followed_by_another_is_not_retried(dan, world):
    cluster = cluster_row(world)
    operation = failed(cluster)
    operation_row(cluster, OperationKind.ISSUE_KUBECONFIG)  # changes nothing of it
    operation_row(cluster, DELETE, state=OperationState.ABORTED)
    assert "later operation" in problem(dan.post(f"{URL}/{operation.pk}/retry"), 409, "conflict")["detail"]


def test_an_operation_is_aborted_and_recorded(dan, world):
    operation = operation_row(cluster_row(world), PROVISION, state=OperationState.PROCESSING)
    answer = dan.post(f"{URL}/{operation.pk}/abort")
    assert (answer.status_code, answer.json()["operation"]["message"]) == (202, "Aborted by dan.")
    assert AuditEvent.objects.get(action="operation.abort").actor == "dan"
    Operation.objects.update(state=OperationState.ABORTED)
    assert "already ended" in problem(dan.post(f"{URL}/{operation.pk}/abort"), 409)["detail"]


@pytest.mark.parametrize("verb", ["retry", "abort"])
def test_who_only_sees_it_is_told_which_role_it_takes(people, world, verb):
    operation = failed(cluster_row(world))
    for user in (people.vera, people.otto):
        hint = problem(signed_in(user).post(f"{URL}/{operation.pk}/{verb}"), 403, "forbidden")["hint"]
        assert "project developer" in hint
    problem(signed_in(people.eve).post(f"{URL}/{operation.pk}/{verb}"), 404)
    problem(signed_in(people.op).post(f"{URL}/{operation.pk}/{verb}"), 404)


def test_a_host_s_operation_takes_whoever_may_update_the_host(world, people):
    renew = OperationKind.RENEW_CREDENTIAL
    own = failed(host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme), renew)
    platform = failed(host_row("east"), renew)
    olivia, op = signed_in(world.olivia), signed_in(people.op)
    problem(olivia.post(f"{URL}/{platform.pk}/retry"), 404)
    assert olivia.post(f"{URL}/{own.pk}/retry").status_code == 202
    assert op.post(f"{URL}/{platform.pk}/retry").status_code == 202
    assert op.post(f"{URL}/{own.pk}/abort").status_code == 202


def test_a_body_where_none_is_expected_is_refused(dan, world):
    operation = failed(cluster_row(world))
    refused(dan.post(f"{URL}/{operation.pk}/retry", {"from": "start"}, "json"), "from")


def test_a_repeated_request_with_the_same_key_acts_once(dan, world):
    operation = failed(cluster_row(world))
    answers = [dan.post(f"{URL}/{operation.pk}/retry", headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert operation.events.count() == 1
