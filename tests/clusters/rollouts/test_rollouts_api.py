"""Rollouts over the API: what may be asked for, by whom, and what is shown."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent
from accounts.services.audit import Actor
from clusters.models import Operation, OperationKind, Rollout, RolloutMember, VirtualClusterPhase
from tests.accounts.conftest import give, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import host_row, operation_row
from tests.clusters.rollouts.conftest import NEW

URL = "/api/v1/rollouts"
BODY = {"name": "spring", "action": "upgrade", "organization": "acme", "to": {"kubernetes_version": "1.36"}}


@pytest.fixture
def olivia(fleet):
    return signed_in(fleet.world.olivia)


def names(answer) -> list[tuple[int, str]]:
    return [(each["wave"], each["virtual_cluster"]["name"]) for each in answer.json()["members"]]


def test_a_dry_run_shows_the_waves_and_makes_nothing(fleet, olivia):
    fleet.many(4)
    answer = olivia.post(f"{URL}?dry_run=true", {**BODY, "waves": ["1", "50%"]}, "json")
    assert answer.status_code == 201, answer.content
    assert names(answer) == [(1, "c-000"), (2, "c-001"), (3, "c-002"), (3, "c-003")]
    assert [(each["number"], each["total"], each["queued"]) for each in answer.json()["waves"]] == [
        (1, 1, 1),
        (2, 1, 1),
        (3, 2, 2),
    ]
    assert not Rollout.objects.exists()
    assert fleet.tick() == []


def test_it_is_made_shown_paused_resumed_and_aborted(fleet, olivia):
    fleet.many(3)
    answer = olivia.post(URL, {**BODY, "pause_seconds": None, "failure_budget": "34%"}, "json")
    assert answer.status_code == 201, answer.content
    item = answer["Location"].removeprefix("http://testserver")
    shown = olivia.get(item).json()
    assert shown["to"] == {"kubernetes_version": NEW, "chart_version": "", "host": ""}
    assert (shown["failures_allowed"], shown["pause_seconds"]) == (1, None)
    fleet.tick()
    assert olivia.get(item).json()["clusters"]["running"] == 1
    assert olivia.post(f"{item}/pause").json()["state"] == "Paused"
    assert olivia.post(f"{item}/resume").json()["state"] == "Running"
    assert olivia.post(f"{item}/abort").json()["state"] == "Aborting"
    fleet.work()
    fleet.tick()
    assert olivia.get(item).json()["state"] == "Aborted"
    problem(olivia.post(f"{item}/retry"), 409)
    assert list(
        AuditEvent.objects.filter(object_kind="rollout", result="ok").order_by("id").values_list("action", flat=True)
    ) == [
        "rollout.create",
        "rollout.pause",
        "rollout.resume",
        "rollout.abort",
        "rollout.end",
    ]


def test_its_clusters_are_a_list_in_their_order_by_what_became_of_them(fleet, olivia):
    fleet.many(3)
    item = f"{URL}/{olivia.post(URL, {**BODY, 'failure_budget': '1'}, 'json').json()['id']}/members"
    fleet.tick()
    fleet.work(fails=("c-000",))
    fleet.tick()
    rows = olivia.get(item).json()["results"]
    assert [(row["virtual_cluster"]["name"], row["state"]) for row in rows] == [
        ("c-000", "Failed"),
        ("c-001", "Running"),
        ("c-002", "Queued"),
    ]
    assert rows[0]["message"] == "upgrade Failed: The image is missing."
    assert rows[0]["operation"]
    assert [row["position"] for row in olivia.get(f"{item}?state=Failed").json()["results"]] == [0]


def test_clusters_are_chosen_by_labels_version_host_and_project(fleet, olivia):
    west = host_row("west")
    fleet.make("a", labels={"tier": "dev"})
    fleet.make("b", labels={"tier": "prod"}, project=fleet.world.search)
    fleet.host = west
    fleet.make("c", labels={"tier": "dev", "of": "x"}, kubernetes_version="1.34.1")

    def chosen(**more) -> set[str]:
        answer = olivia.post(f"{URL}?dry_run=true", {**BODY, **more}, "json")
        assert answer.status_code == 201, answer.content
        return {name for _, name in names(answer)}

    assert chosen() == {"a", "b", "c"}
    assert chosen(selector={"labels": {"tier": "dev"}}) == {"a", "c"}
    assert chosen(selector={"kubernetes_version": "1.35"}) == {"a", "b"}
    assert chosen(selector={"kubernetes_version": "1.34.1"}) == {"c"}
    assert chosen(selector={"host": "west", "labels": {"tier": "dev"}}) == {"c"}
    without = {key: value for key, value in BODY.items() if key != "organization"}
    answer = olivia.post(f"{URL}?dry_run=true", {**without, "project": "acme/search"}, "json")
    assert names(answer) == [(1, "b")]


def test_clusters_that_are_gone_there_already_or_elsewhere_are_not_in_it(fleet, olivia):
    fleet.make("old")
    fleet.make("new", kubernetes_version=NEW)
    fleet.make("gone")
    fleet.phase("gone", VirtualClusterPhase.DELETED)
    fleet.make("foreign", project=fleet.world.foreign)
    assert names(olivia.post(URL, BODY, "json")) == [(1, "old")]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": "No Name"}, "name"),
        ({"to": {}}, "to.kubernetes_version"),
        ({"to": {"kubernetes_version": "1.20.1"}}, "to.kubernetes_version"),
        ({"to": {"chart_version": "9.9.9"}}, "to.chart_version"),
        ({"to": {"kubernetes_version": "1.36", "host": "east"}}, "to.host"),
        ({"action": "migrate"}, "to.kubernetes_version"),
        ({"action": "migrate", "to": {}}, "to.host"),
        ({"action": "migrate", "to": {"host": "full"}}, "to.host"),
        ({"action": "migrate", "to": {}, "selector": {"host": "east"}, "choices": {"a": "b"}}, "choices.a"),
        (
            {"action": "migrate", "to": {}, "selector": {"host": "east"}, "choices": {"node-ports": "proceed"}},
            "choices.node-ports",
        ),
        ({"choices": {"removed-api": "accept"}}, "choices.removed-api"),
        ({"choices": {"differences": "yes"}}, "choices.differences"),
        ({"choices": {"volumes": "recreate-empty"}}, "choices.volumes"),
        ({"action": "dance"}, "action"),
        ({"waves": ["5", "2"]}, "waves[1]"),
        ({"failure_budget": "lots"}, "failure_budget"),
        ({"max_parallel": 0}, "max_parallel"),
        ({"pause_seconds": -1}, "pause_seconds"),
        ({"soak_seconds": 10**9}, "soak_seconds"),
        ({"selector": {"labels": {"no": "such"}}}, "selector"),
        ({"selector": {"colour": "red"}}, "selector.colour"),
        ({"project": "acme/payments"}, "project"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(fleet, olivia, more, field):
    fleet.many(1)
    host_row("full", cordoned=True)
    assert refused(olivia.post(URL, {**BODY, **more}, "json"), field)


def test_it_takes_the_role_in_every_project_that_it_touches(fleet, people):
    fleet.make("a")
    fleet.make("b", project=fleet.world.search)
    ada = signed_in(people.ada)  # admin of payments
    assert names(ada.post(f"{URL}?dry_run=true", {**BODY, "organization": str(fleet.world.acme.pk)}, "json")) == [
        (1, "a")
    ]
    give(people.ada, "viewer", fleet.world.search)
    body = problem(ada.post(URL, {**BODY, "organization": str(fleet.world.acme.pk)}, "json"), 403)
    assert "acme/search" in body["detail"]
    problem(signed_in(people.dan).post(URL, {**BODY, "organization": str(fleet.world.acme.pk)}, "json"), 403)
    without = {key: value for key, value in BODY.items() if key != "organization"}
    assert ada.post(URL, {**without, "project": "acme/payments"}, "json").status_code == 201


def test_the_platforms_are_for_its_staff_who_need_no_role_and_nobody_else_sees_them(fleet, people, op):
    fleet.make("a")
    fleet.make("b", project=fleet.world.foreign)
    body = {"name": "evacuation", "action": "migrate", "selector": {"host": "east"}}
    problem(signed_in(fleet.world.olivia).post(URL, body, "json"), 403)
    answer = op.post(URL, body, "json")
    assert [name for _, name in names(answer)] == ["a", "b"]
    assert sorted(fleet.tick()) == ["a"]
    assert fleet.actors[0] == Actor(user=people.op, name="rollout evacuation", platform=True)
    item = f"{URL}/{answer.json()['id']}"
    problem(signed_in(fleet.world.olivia).get(item), 404)
    problem(signed_in(fleet.world.olivia).get(f"{item}/members"), 404)
    refusal = problem(signed_in(fleet.world.olivia).post(URL, BODY, "json"), 409, "rollout-in-the-way")
    assert "evacuation" not in str(refusal)
    assert "a rollout of the platform" in refusal["detail"]


def test_who_no_longer_is_staff_evacuates_nothing_more(fleet, people, op):
    fleet.many(2)
    op.post(URL, {"name": "evacuation", "action": "migrate", "selector": {"host": "east"}}, "json")
    type(people.op).objects.filter(pk=people.op.pk).update(is_staff=False)
    assert fleet.tick() == []
    assert Rollout.objects.get().state == "Halted"


def test_sent_twice_with_one_key_it_is_made_once(fleet, olivia):
    fleet.many(2)
    for _ in range(2):
        assert olivia.post(URL, BODY, "json", HTTP_IDEMPOTENCY_KEY="k").status_code == 201
    assert (Rollout.objects.count(), RolloutMember.objects.count()) == (1, 2)


def planned(client, **more) -> dict[str, dict[str, str]]:
    answer = client.post(f"{URL}?dry_run=true", {**BODY, **more}, "json")
    assert answer.status_code == 201, answer.content
    return {each["virtual_cluster"]["name"]: each for each in answer.json()["members"]}


def test_a_dry_run_tells_of_each_cluster_why_it_could_not_begin(fleet, olivia):
    fleet.make("fine")
    fleet.make("skips", kubernetes_version="1.33.9")
    fleet.make("broken")
    fleet.phase("broken", VirtualClusterPhase.FAILED)
    (busy,) = fleet.make("busy")
    operation_row(busy, OperationKind.MIGRATE)
    fleet.host = host_row("old", kubernetes_version="1.33.1")
    fleet.make("low")
    found = planned(olivia)
    assert {name: bool(each["refused"]) for name, each in found.items()} == {
        "fine": False,
        "skips": True,
        "broken": True,
        "busy": False,
        "low": True,
    }
    assert "1.35" in found["skips"]["refused"] or "1.34" in found["skips"]["refused"]
    assert "is Failed" in found["broken"]["refused"]
    assert "old" in found["low"]["refused"]
    assert found["busy"]["waits"] == "migrate is at work on it."
    assert not Operation.objects.filter(kind=OperationKind.UPGRADE).exists()


def test_a_dry_run_of_many_clusters_costs_as_many_statements_as_one_of_few(fleet, olivia):
    fleet.make("a", "b")
    with CaptureQueriesContext(connection) as few:
        planned(olivia)
    fleet.many(40)
    with CaptureQueriesContext(connection) as many:
        assert len(planned(olivia)) == 42
    assert len(many) <= len(few) + 1  # rows are written in one statement, or in one more
