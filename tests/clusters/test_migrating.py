"""Asking for a move: who may, what is refused at once and why, and what is written down."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.errors import Conflict
from accounts.models import AuditEvent
from accounts.services.audit import Actor
from clusters.models import (
    Breaker,
    HostCluster,
    HostPhase,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.rollouts.wish import RolloutWish
from clusters.services.operations import operation_start
from clusters.services.rollout_actions import move_begin
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem
from tests.clusters.making import cluster_row, host_row, operation_row, ready_row

URL = "/api/v1/virtual-clusters"
GIB = 1024**3


@pytest.fixture
def ada(people):
    return signed_in(people.ada)


@pytest.fixture
def cluster(world, host):
    return ready_row(world, host)


@pytest.fixture
def west(world):
    return host_row("west")


def migrate(client, cluster, **body):
    return client.post(f"{URL}/{cluster.pk}/migrate", body, "json")


def begun(client, cluster, **body):
    answer = migrate(client, cluster, **body)
    assert answer.status_code == 202, answer.content
    return Operation.objects.get(pk=answer.json()["operation"]["id"])


def refused(client, cluster, code, status=400, **body):
    found = problem(migrate(client, cluster, **body), status, code)
    assert not Operation.objects.filter(kind=OperationKind.MIGRATE, state="Pending").exists(), "nothing was begun"
    assert not AuditEvent.objects.filter(action="virtualcluster.migrate", result="ok").exists()
    return found


def test_a_move_is_an_operation_that_keeps_what_was_asked(ada, cluster, west):
    orders = {"Deployment.apps shop/web": "stop-first"}
    operation = begun(ada, cluster, to="west", choices={"volumes": "recreate-empty"}, orders=orders)
    assert (operation.kind, operation.state) == ("migrate", "Pending")
    assert operation.params == {
        "to": str(west.pk),
        "back": False,
        "choices": {"volumes": "recreate-empty"},
        "orders": orders,
    }
    row = AuditEvent.objects.get(action="virtualcluster.migrate")
    assert (row.details["to"], row.details["operation"]) == ("west", str(operation.pk))


def test_without_a_host_marina_chooses_and_refuses_where_there_is_no_other(ada, cluster):
    assert refused(ada, cluster, "no-host")["detail"].startswith("No other host cluster can take it.")
    host_row("west")
    assert begun(ada, cluster).params["to"] == ""


@pytest.mark.parametrize(
    ("columns", "code", "says"),
    [
        ({"cordoned": True}, "host-cordoned", "west: It is cordoned: it takes nothing new."),
        ({"breaker": Breaker.OPEN}, "host-unreachable", "west does not answer."),
        ({"phase": HostPhase.FAILED}, "host-not-connected", "west: It is not connected (Failed)."),
        ({"offered_to_all": False}, "not-offered", "west is not offered to acme/payments."),
        ({"kubernetes_version": "1.34.9"}, "host-version", "is too new for this host, which has 1.34.9"),
        (
            {
                "capacity": {
                    "allocatable": {"cpu": 100, "memory": 8 * GIB, "pods": 110},
                    "requested": {"cpu": 90, "memory": 0, "pods": 3},
                }
            },
            "host-full",
            "west: 0.01 CPU free of 0.1",
        ),
        (
            {
                "conditions": [
                    {"type": "Schedulable", "status": "False", "reason": "NoNode", "message": "No node takes pods."}
                ]
            },
            "host-unschedulable",
            "west: No node takes pods.",
        ),
    ],
)
def test_a_host_that_cannot_take_it_is_refused_at_once_with_the_reason(ada, people, cluster, columns, code, says):
    host_row("west", **columns)
    client = ada if columns != {"offered_to_all": False} else signed_in(people.op)
    told = refused(client, cluster, code, to="west")
    assert says in told["detail"]
    assert told["errors"][0]["field"] == "to"


def test_it_is_not_moved_to_where_it_is(ada, cluster):
    told = refused(ada, cluster, "same-host", to="east")
    assert told["detail"] == "acme/payments/hello is on east already."


def test_a_host_that_is_not_offered_is_as_good_as_none_to_who_may_not_see_it(ada, cluster):
    host_row("west", offered_to_all=False)
    assert "to" in problem(migrate(ada, cluster, to="west"), 400)["errors"][0]["field"]


def retained(cluster, host, **fields):
    """What it left there."""
    where = {"namespace": "marina-hello", "release": "hello"}
    return Placement.objects.create(virtual_cluster=cluster, host=host, role=PlacementRole.RETAINED, **where, **fields)


def test_where_it_is_kept_from_before_it_goes_only_by_going_back(ada, cluster, west):
    retained(cluster, west, retained_until=timezone.now() + timedelta(days=1))
    assert "marina migrate hello --back" in refused(ada, cluster, "retained-there", to="west")["hint"]
    assert begun(ada, cluster, back=True).params["back"] is True


def test_marina_chooses_no_host_where_it_is_kept_from_before(ada, cluster, west):
    kept = retained(cluster, west)
    told = refused(ada, cluster, "no-host")["detail"]
    assert "hello came from west" in told
    assert "marina migrate hello --back" in told
    # what is being removed keeps nobody: the move waits until it is gone
    Placement.objects.filter(pk=kept.pk).update(role=PlacementRole.LEAVING)
    assert begun(ada, cluster).params["to"] == ""


@pytest.mark.parametrize("named", [False, True])
def test_a_rollout_goes_back_to_what_was_left_where_there_is_no_other_way_to_that_host(people, cluster, west, named):
    retained(cluster, west, retained_until=timezone.now() + timedelta(days=1))
    wish = RolloutWish(to=str(west.pk) if named else "", to_name="west" if named else "")
    actor = Actor(user=people.ada)
    work = move_begin(virtual_cluster=cluster, actor=actor, now=timezone.now(), wish=wish)
    assert work.operation.params["back"] is True


def test_back_is_refused_where_nothing_is_kept_or_its_time_is_over(ada, cluster, west):
    assert "nowhere to go back to" in refused(ada, cluster, "nothing-retained", 409, back=True)["detail"]
    kept = retained(cluster, west, retained_until=timezone.now() - timedelta(hours=1))
    assert (
        f"{kept.retained_until:%Y-%m-%d %H:%M}" in refused(ada, cluster, "nothing-retained", 409, back=True)["detail"]
    )
    HostCluster.objects.update(cordoned=True)
    Placement.objects.update(retained_until=None)
    refused(ada, cluster, "host-cordoned", back=True)


@pytest.mark.parametrize(
    ("kubernetes", "chart", "too_old"),
    [
        ("1.36.1", "0.36.1", False),
        ("1.35.4", "0.35.0", False),
        ("1.34.9", "0.36.1", True),
        ("1.36.3", "0.34.0", True),
        ("", "", False),
    ],
)
def test_back_is_refused_where_what_is_kept_is_older_than_one_minor(ada, cluster, west, kubernetes, chart, too_old):
    """Its versions of today would be put over what so old a one stored."""
    retained(
        cluster,
        west,
        retained_until=timezone.now() + timedelta(days=1),
        kubernetes_version=kubernetes,
        chart_version=chart,
    )
    if not too_old:
        assert begun(ada, cluster, back=True).params["back"] is True
        return
    told = refused(ada, cluster, "kept-too-old", back=True)
    assert f"ran Kubernetes {kubernetes} with chart {chart} last" in told["detail"]
    assert told["errors"][0]["field"] == "back"
    assert told["hint"].startswith("Move it with --to HOST instead")
    assert "--back" not in refused(ada, cluster, "retained-there", to="west")["hint"]


def test_back_to_a_host_of_given_namespaces_goes_to_its_own(ada, cluster):
    given = host_row("west", mode="namespaces", namespaces=["team-a"])
    Placement.objects.create(
        virtual_cluster=cluster, host=given, namespace="team-a", release="hello", role=PlacementRole.RETAINED
    )
    assert begun(ada, cluster, back=True).params["back"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"to": "west", "back": True}, "to"),
        ({"to": "nowhere"}, "to"),
        ({"choices": {"volumes": "forget"}}, "choices.volumes"),
        ({"choices": {"colour": "red"}}, "choices.colour"),
        ({"choices": {"node-ports": "proceed"}}, "choices.node-ports"),
        ({"choices": {"addresses": "proceed"}}, "choices.addresses"),
        ({"choices": {"names": "keep"}}, "choices.names"),
        ({"choices": {"tokens": "keep"}}, "choices.tokens"),
        ({"orders": {"Deployment.apps shop/web": "sideways"}}, "orders.Deployment.apps shop/web"),
        ({"orders": {"web": "stop-first"}}, "orders.web"),
        ({"speed": 3}, "speed"),
    ],
)
def test_what_cannot_be_asked_for_names_its_field(ada, cluster, west, body, field):
    told = problem(migrate(ada, cluster, **body), 400)
    assert told["errors"][0]["field"] == field
    assert told["errors"][0]["accepted"] or field == "speed"


@pytest.mark.parametrize("phase", [VirtualClusterPhase.FAILED, VirtualClusterPhase.DELETING])
def test_what_is_not_whole_is_not_moved(ada, cluster, west, phase):
    VirtualCluster.objects.update(phase=phase)
    refused(ada, cluster, "conflict", 409, to="west")


def test_what_was_never_placed_is_not_moved(ada, world, west):
    refused(ada, cluster_row(world, phase=VirtualClusterPhase.READY), "not-placed", 409, to="west")


def test_from_a_host_that_does_not_answer_nothing_can_be_carried(ada, cluster, west):
    HostCluster.objects.filter(name="east").update(breaker=Breaker.OPEN)
    assert "east" in refused(ada, cluster, "source-unreachable", 409, to="west")["detail"]


def test_the_second_of_two_moves_is_refused_with_the_first_in_the_way(ada, cluster, west):
    first = begun(ada, cluster, to="west")
    told = problem(migrate(ada, cluster, to="west"), 409)
    assert told["operation_id"] == str(first.pk)
    assert str(first.pk) in told["hint"]
    # also where its target is no longer one that could be named now
    HostCluster.objects.filter(name="west").update(cordoned=True)
    assert problem(migrate(ada, cluster, to="west"), 409)["operation_id"] == str(first.pk)


@pytest.mark.parametrize("kind", [OperationKind.UPGRADE, OperationKind.RESTORE])
def test_during_a_move_what_would_be_missed_is_refused_with_the_move_in_the_way(ada, people, cluster, west, kind):
    moving = begun(ada, cluster, to="west")
    with pytest.raises(Conflict) as told, transaction.atomic():
        operation_start(kind=kind, subject=cluster, actor=Actor(user=people.ada), now=timezone.now())
    assert (told.value.status, told.value.operation_id) == (409, moving.pk)
    assert str(moving.pk) in told.value.hint


@pytest.mark.parametrize("kind", [OperationKind.UPGRADE, OperationKind.RESTORE, OperationKind.DELETE])
def test_a_move_is_refused_during_what_it_would_miss(ada, cluster, west, kind):
    at_work = operation_row(cluster, kind, state=OperationState.PROCESSING)
    assert problem(migrate(ada, cluster, to="west"), 409)["operation_id"] == str(at_work.pk)


def test_a_move_waits_for_what_ends_by_itself(ada, cluster, west):
    operation_row(cluster, OperationKind.EXPORT, state=OperationState.PROCESSING)
    assert begun(ada, cluster, to="west").state == OperationState.QUEUED


def test_platform_staff_move_what_they_do_not_see_and_only_see_that_through(op, cluster, west, people):
    operation = begun(op, cluster, to="west")
    assert op.get(f"/api/v1/operations/{operation.pk}").status_code == 200
    assert op.get(f"{URL}/{cluster.pk}").status_code == 404
    others = operation_row(cluster, OperationKind.MIGRATE, state="Succeeded", requested_by=people.ada)
    assert op.get(f"/api/v1/operations/{others.pk}").status_code == 404


def test_who_looks_after_the_host_alone_may_not_move_what_is_on_it(world, cluster, west):
    HostCluster.objects.filter(name="east").update(
        scope="organization", organization=world.globex, offered_to_all=False
    )
    assert migrate(signed_in(world.greta), cluster, to="west").status_code == 404


def test_a_developer_is_told_which_roles_it_takes(dan, cluster, west):
    told = problem(migrate(dan, cluster, to="west"), 403, "forbidden")
    assert "admin" in told["hint"]


def test_a_cluster_shows_where_it_came_from_and_that_it_is_frozen(dan, cluster, west):
    shown = dan.get(f"{URL}/{cluster.pk}").json()
    assert (shown["frozen"], shown["retained"]) == (None, [])
    until = timezone.now() + timedelta(days=1)
    kept = retained(cluster, west, role_since=timezone.now(), retained_until=until)
    VirtualCluster.objects.update(frozen_at=timezone.now(), frozen_why="It is being moved to west.")
    shown = dan.get(f"{URL}/{cluster.pk}").json()
    assert shown["frozen"]["why"] == "It is being moved to west."
    (found,) = shown["retained"]
    assert (found["id"], found["host"]) == (str(kept.pk), {"id": str(west.pk), "name": "west"})
    assert found["until"] == f"{until.isoformat()[:-6]}Z"
    assert shown["placement"]["host"]["name"] == "east"


def test_the_preflight_takes_what_a_move_would_refuse_and_waits_for_nobody(ada, cluster):
    host_row("west", cordoned=True)
    operation_row(cluster, OperationKind.UPGRADE, state=OperationState.PROCESSING)
    answer = ada.post(f"{URL}/{cluster.pk}/migrate-preflight", {"to": "west"}, "json")
    assert answer.status_code == 202, answer.content
    operation = Operation.objects.get(pk=answer.json()["operation"]["id"])
    assert (operation.kind, operation.lock_key, operation.params["of"]) == ("preflight", None, "migrate")
