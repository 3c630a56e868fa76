"""Several virtual clusters in one request: each answered as it would be alone, or all of them or none."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.api import rates
from accounts.models import AuditEvent
from clusters.models import Operation, OperationKind, VirtualCluster
from clusters.services.batches import BATCH_MAXIMUM
from tests.accounts.conftest import give, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import cluster_row, ready_row
from tests.engine.conftest import at_once

ALONE = "/api/v1/virtual-clusters"
CREATE, DELETE = f"{ALONE}/batch-create", f"{ALONE}/batch-delete"
STATEMENTS_EACH = {"create": 15, "delete": 8}
"""So many at most for each one more; docs/many-at-once.md states them."""
PEOPLE = ("vera", "dan", "ada", "mia", "otto", "eve", "op")


def new(name: str, **more):
    return {"project": "acme/payments", "name": name, **more}


def create(client, *items, headers=None, query="", **more):
    return client.post(CREATE + query, {"items": list(items), **more}, "json", headers=headers)


def delete(client, *items, headers=None, query="", **more):
    sent = [each if isinstance(each, dict) else {"id": str(each.pk)} for each in items]
    return client.post(DELETE + query, {"items": sent, **more}, "json", headers=headers)


def results(answer, status: int = 202) -> list[dict[str, Any]]:
    assert answer.status_code == status, answer.content
    body: dict[str, Any] = answer.json()
    assert body["accepted"] + body["refused"] == len(body["results"])
    assert body["refused"] == sum(each["problem"] is not None for each in body["results"])
    return list(body["results"])


def statuses(answer, status: int = 202) -> list[int]:
    return [each["status"] for each in results(answer, status)]


# --- creating ---------------------------------------------------------------------------------------------------------


def test_several_are_started_each_with_an_operation_of_its_own(world, host, dan):
    answer = create(dan, new("a"), new("b", labels={"x": "y"}), new("c"))
    told = results(answer)
    assert answer["Retry-After"] == "1"
    assert [each["virtual_cluster"]["name"] for each in told] == ["a", "b", "c"]
    assert told[1]["virtual_cluster"]["labels"] == {"x": "y"}
    assert [each["operation"]["virtual_cluster"]["name"] for each in told] == ["a", "b", "c"]
    assert {each["operation"]["kind"] for each in told} == {"provision"}
    assert told[0]["virtual_cluster"]["operation"]["id"] == told[0]["operation"]["id"]
    assert AuditEvent.objects.filter(action="virtualcluster.create", actor="dan").count() == 3


def test_each_is_read_and_refused_on_its_own(world, host, dan):
    told = results(
        create(
            dan,
            new("a"),
            new("No Name"),
            new("b", spec={"size": "gigantic"}),
            {"name": "c"},
            new("d", project="globex/payments"),
            7,
            new("e"),
        )
    )
    assert [each["status"] for each in told] == [202, 400, 400, 400, 400, 400, 202]
    fields = [each["problem"]["errors"][0]["field"] for each in told if each["problem"]]
    assert fields == ["name", "spec.size", "project", "project", "body"]
    assert sorted(VirtualCluster.objects.values_list("name", flat=True)) == ["a", "e"]


def test_a_field_whose_name_no_database_keeps_is_refused_as_any_other_and_the_answer_is_kept(world, host, dan):
    body = {"items": [{**new("a"), "odd\0name": 1}, new("b")]}
    answers = [dan.post(CREATE, body, "json", headers={"Idempotency-Key": "one"}) for _ in range(2)]
    assert [statuses(answer, 202) for answer in answers] == [[400, 202], [400, 202]]


def test_where_all_are_refused_nothing_is_started_and_the_answer_is_200(world, host, dan):
    answer = create(dan, new("A"), new("B"))
    assert statuses(answer, 200) == [400, 400]
    assert not answer.has_header("Retry-After")


def test_two_of_one_name_are_one(world, host, dan):
    told = results(create(dan, new("a"), new("a")))
    assert [each["status"] for each in told] == [202, 400]
    assert told[1]["problem"]["errors"][0]["field"] == "name"


def test_the_limit_of_a_project_counts_all_of_a_batch(world, host, dan):
    world.payments.cluster_limit = 3
    world.payments.save()
    cluster_row(world, "there")
    told = results(create(dan, new("a"), new("b"), new("c"), new("d")))
    assert [each["status"] for each in told] == [202, 202, 409, 409]
    assert told[2]["problem"]["code"] == "cluster-limit"
    assert VirtualCluster.objects.filter(project=world.payments).count() == 3


def test_all_or_nothing_makes_none_where_one_is_refused_and_names_each(world, host, dan):
    world.payments.cluster_limit = 2
    world.payments.save()
    answer = create(dan, new("a"), new("B!"), new("c"), new("d"), all_or_nothing=True)
    body = problem(answer, 400, "batch-refused")
    assert body["detail"] == "2 of 4 were refused, so nothing was done."
    assert [each["field"] for each in body["errors"]] == ["items[1].name", "items[3]"]
    assert "higher limit" in body["hint"]
    assert not VirtualCluster.objects.exists()
    assert not Operation.objects.exists()
    assert not AuditEvent.objects.filter(action="virtualcluster.create", result="ok").exists()
    assert statuses(create(dan, new("a"), new("c"), all_or_nothing=True)) == [202, 202]


@pytest.mark.parametrize("items", [None, [], "x", [{}] * (BATCH_MAXIMUM + 1)])
def test_a_batch_has_from_one_item_to_the_maximum(world, dan, items):
    for address in (CREATE, DELETE):
        refused(dan.post(address, {} if items is None else {"items": items}, "json"), "items")


def test_what_is_not_known_of_the_whole_is_refused_by_name(world, dan):
    refused(create(dan, new("a"), atomic=True), "atomic")
    refused(create(dan, new("a"), query="?dryrun=true"), "dryrun")
    assert not VirtualCluster.objects.exists()


def test_how_far_several_are_is_asked_at_once(world, people, host, dan):
    told = results(create(dan, new("a"), new("b"), new("c")))
    keys = [each["operation"]["id"] for each in told]
    url = f"/api/v1/operations?id={keys[0]},{keys[2]}"
    assert {each["id"] for each in dan.get(url).json()["results"]} == {keys[0], keys[2]}
    assert signed_in(people.mia).get(url).json()["results"] == []
    assert refused(dan.get("/api/v1/operations?id=a,b"), "id")["accepted"] == "an id (UUID)"


# --- deleting ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def three(world, host):
    return [ready_row(world, host, name) for name in ("a", "b", "c")]


def test_several_deletions_are_started(dan, three):
    told = results(delete(dan, *three))
    assert [(each["virtual_cluster"]["name"], each["operation"]["kind"]) for each in told] == [
        ("a", "delete"),
        ("b", "delete"),
        ("c", "delete"),
    ]
    assert Operation.objects.filter(kind=OperationKind.DELETE).count() == 3


def test_one_that_is_under_way_or_named_twice_is_not_started_again(dan, three):
    first = results(delete(dan, three[0]))[0]["operation"]["id"]
    told = results(delete(dan, three[0], three[1], three[1]))
    assert [each["status"] for each in told] == [200, 202, 200]
    assert told[0]["operation"]["id"] == first
    assert told[1]["operation"] == told[2]["operation"]
    assert statuses(delete(dan, three[0]), 200) == [200]


def test_what_is_protected_unseen_or_changed_is_refused_and_the_others_go(world, people, dan, three):
    three[1].deletion_protection = True
    three[1].save()
    foreign = cluster_row(world, "foreign", project=world.foreign)
    stale = {"id": str(three[2].pk), "generation": 7}
    nothing = {"id": "01a215d6-5a33-7c41-9f0e-6c1d2b7a9e10"}
    told = results(delete(dan, three[0], three[1], stale, foreign, nothing, {"id": "x"}))
    assert [each["status"] for each in told] == [202, 409, 412, 404, 404, 400]
    assert [each["problem"]["code"] for each in told[1:3]] == ["protected", "precondition-failed"]
    unseen = [{**each["problem"], "request_id": ""} for each in told[3:5]]
    assert unseen[0] == unseen[1], "what may not be seen is answered as what is not there"
    assert [str(each) for each in Operation.objects.filter(kind="delete").values_list("virtual_cluster__name")] == [
        "('a',)"
    ]
    assert statuses(delete(dan, {"id": str(three[2].pk), "generation": three[2].generation})) == [202]


def test_all_or_nothing_deletes_none_where_one_is_refused(world, dan, three):
    three[1].deletion_protection = True
    three[1].save()
    body = problem(delete(dan, *three, all_or_nothing=True), 400, "batch-refused")
    assert [each["field"] for each in body["errors"]] == ["items[1]"]
    assert "is protected from deletion" in body["errors"][0]["message"]
    assert not Operation.objects.filter(kind="delete").exists()
    row = AuditEvent.objects.get(action="virtualcluster.delete")
    assert (row.result, row.object_name, row.details["code"]) == ("failed", "acme/payments/b", "protected")


# --- who may, and what else holds of the whole ------------------------------------------------------------------------


@pytest.mark.parametrize("who", PEOPLE)
def test_each_item_is_answered_as_it_would_be_alone(world, people, host, who):
    """By status and by words, in one's own project and in another's."""
    client = signed_in(getattr(people, who))
    here, there = ready_row(world, host, "here"), ready_row(world, host, "there", project=world.foreign)
    bodies = [new("fresh"), new("fresh", project="globex/payments"), new("Fresh")]
    alone = [_alone(client.post, ALONE, each, "json") for each in bodies]
    alone += [_alone(client.delete, f"{ALONE}/{each.pk}") for each in (here, there)]
    told = create(client, *bodies).json()["results"] + delete(client, here, there).json()["results"]
    assert [(each["status"], each["problem"] and each["problem"]["detail"]) for each in told] == alone


def _alone(ask, *how):
    """What it is answered, and undone."""
    with transaction.atomic():
        answer = ask(*how)
        transaction.set_rollback(True)
    return answer.status_code, answer.json()["detail"] if answer.status_code >= 400 else None


def test_each_that_somebody_may_not_do_leaves_a_row_in_the_audit_log(world, people, three):
    vera = signed_in(people.vera)
    headers = {"Idempotency-Key": "k-1"}
    told = results(delete(vera, *three, headers=headers), 200)
    assert "developer" in told[0]["problem"]["hint"]
    rows = AuditEvent.objects.filter(actor="vera", result="denied")
    assert sorted(rows.values_list("action", "object_name")) == [
        ("virtualcluster.delete", f"acme/payments/{name}") for name in "abc"
    ]
    assert problem(delete(vera, *three, all_or_nothing=True), 400, "batch-refused")
    assert rows.count() == 6, "also where all the rest is undone"


def test_a_key_belongs_to_the_whole(world, host, dan):
    headers = {"Idempotency-Key": "k-1"}
    first = create(dan, new("a"), new("B"), headers=headers)
    again = create(dan, new("a"), new("B"), headers=headers)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert VirtualCluster.objects.count() == 1
    assert create(dan, new("a"), headers=headers).status_code == 422
    refused_whole = {"Idempotency-Key": "k-2"}
    assert create(dan, new("b"), new("B"), all_or_nothing=True, headers=refused_whole).status_code == 400
    assert statuses(create(dan, new("b"), new("c"), headers=refused_whole)) == [202, 202], "a refusal is not kept"


def test_a_dry_run_tells_of_each_and_leaves_nothing(world, host, dan, three, django_capture_on_commit_callbacks):
    before = Operation.objects.count()
    with django_capture_on_commit_callbacks() as woken:
        tried = create(dan, new("d"), new("D"), query="?dry_run=true")
        assert statuses(tried) == [202, 400]
        assert tried["Marina-Dry-Run"] == "true"
        assert not tried.has_header("Retry-After")
        assert statuses(delete(dan, *three, query="?dry_run=true")) == [202, 202, 202]
    assert woken == []
    assert (VirtualCluster.objects.count(), Operation.objects.count()) == (3, before)


def test_one_more_costs_a_fixed_number_of_statements(world, host, dan):
    dan.get("/api/v1/me")
    many = [ready_row(world, host, f"c-{number}") for number in range(20)]
    costs = {
        "create": [_cost(create, dan, *(new(f"n{count}-{each}") for each in range(count))) for count in (1, 3, 13)],
        "delete": [_cost(delete, dan, *many[:1]), _cost(delete, dan, *many[1:4]), _cost(delete, dan, *many[4:17])],
    }
    for what, (one, three, thirteen) in costs.items():
        each = (three - one) / 2
        assert each <= STATEMENTS_EACH[what], (what, costs)
        assert thirteen - three == 10 * each, (what, costs)


def _cost(ask, client, *items) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert set(statuses(ask(client, *items))) == {202}
    return len(captured)


def test_a_batch_counts_as_so_many_changes(world, host, dan, settings, monkeypatch):
    monkeypatch.setattr(rates, "_away_until", 0.0)
    monkeypatch.setattr("accounts.api.rates.time.time", lambda: 1_800_000_000.0)  # in the midst of no window
    settings.API_WRITE_RATE = "5/min"
    answer = create(dan, new("a"), new("b"), new("c"))
    assert (answer.status_code, answer["RateLimit-Remaining"]) == (202, "2")
    refusal = create(dan, new("d"), new("e"), new("f"))
    problem(refusal, 429, "throttled")
    assert refusal["Retry-After"] == "60"
    assert VirtualCluster.objects.count() == 3


def test_who_came_by_broken_glass_leaves_a_line_for_each_that_is_reached(world, people, op, three):
    for cluster in three[:2]:
        answer = op.post(f"{ALONE}/{cluster.pk}/break-glass", {"reason": "It does not answer any more."}, "json")
        assert answer.status_code == 201, answer.content
    seen = statuses(delete(op, *three), 200)
    assert seen == [403, 403, 404], "a viewer deletes nothing"
    rows = AuditEvent.objects.filter(action="break-glass.use", actor="op")
    assert {row.object_name for row in rows} >= {"acme/payments/a", "acme/payments/b"}


@pytest.mark.django_db(transaction=True)
def test_batches_that_name_the_same_in_another_order_wait_for_each_other(world, people, host):
    give(people.dan, "developer", world.search)
    clients = [signed_in(people.dan) for _ in range(6)]

    def made(number: int):
        wishes = [new(f"n{number}"), new(f"n{number}", project="acme/search")]
        return statuses(create(clients[number], *wishes[:: -1 if number % 2 else 1]))

    assert at_once(6, made) == [[202, 202]] * 6
    rows = list(VirtualCluster.objects.order_by("pk"))
    answers = at_once(6, lambda number: delete(clients[number], *rows[:: -1 if number % 2 else 1]))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [202]
    assert Operation.objects.filter(kind="delete").count() == len(rows) == 12
