"""Giving up early what a move left: who may, what is refused, and what a host says of it when it is disconnected."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from clusters.models import (
    Breaker,
    HostCluster,
    HostScope,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
)
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem
from tests.clusters.making import host_row, operation_row, ready_row

URL = "/api/v1"
REMOVALS = Operation.objects.filter(kind=OperationKind.REMOVE_PLACEMENT)
UNTIL = timezone.now() + timedelta(days=7)


@pytest.fixture
def ada(people):
    return signed_in(people.ada)


@pytest.fixture
def west(world):
    return host_row("west")


@pytest.fixture
def cluster(world, west):
    return ready_row(world, west)


@pytest.fixture
def kept(cluster, host):
    return left(cluster, host)


def left(cluster, host, role=PlacementRole.RETAINED, **fields):
    """What it is there besides where it runs."""
    where = {"namespace": f"marina-{cluster.name}", "release": cluster.name, "retained_until": UNTIL}
    return Placement.objects.create(virtual_cluster=cluster, host=host, role=role, **{**where, **fields})


def forget(client, cluster, query="", **body):
    return client.post(f"{URL}/virtual-clusters/{cluster.pk}/forget-retained{query}", body, "json")


def forget_on(client, host, query=""):
    return client.post(f"{URL}/host-clusters/{host.pk}/forget-retained{query}", {}, "json")


def disconnect_refused(client, host):
    return problem(client.delete(f"{URL}/host-clusters/{host.pk}"), 409, "conflict")


def roles():
    return set(Placement.objects.values_list("host__name", "role"))


def test_what_it_left_begins_to_be_removed_and_that_is_written_down(ada, people, cluster, kept):
    answer = forget(ada, cluster)
    assert answer.status_code == 202, answer.content
    removal = REMOVALS.get()
    assert answer.json()["operation"]["id"] == str(removal.pk)
    assert (removal.params, removal.requested_by) == ({"placement": str(kept.pk)}, people.ada)
    assert roles() == {("east", "leaving"), ("west", "active")}
    row = AuditEvent.objects.get(action="virtualcluster.forget-retained")
    assert row.details == {"operation": str(removal.pk), "host": "east"}


def test_a_dry_run_gives_nothing_up(ada, cluster, kept):
    assert forget(ada, cluster, "?dry_run=true").status_code == 202
    assert not REMOVALS.exists()
    assert roles() == {("east", "retained"), ("west", "active")}


def test_where_nothing_is_kept_or_it_goes_already_that_is_said(ada, cluster, host):
    assert "there is nothing to give up" in problem(forget(ada, cluster), 409, "nothing-retained")["detail"]
    left(cluster, host)
    removal = forget(ada, cluster).json()["operation"]["id"]
    again = problem(forget(ada, cluster), 409, "nothing-retained")
    assert again["detail"] == "What acme/payments/hello left on east is being removed already."
    assert again["operation_id"] == removal


@pytest.mark.parametrize("kind", [OperationKind.MIGRATE, OperationKind.RECOVER])
@pytest.mark.parametrize("state", [OperationState.QUEUED, OperationState.PROCESSING])
def test_what_a_move_or_a_recovery_may_need_is_not_given_up(ada, cluster, kept, kind, state):
    at_work = operation_row(cluster, kind, state=state)
    assert problem(forget(ada, cluster), 409, "conflict")["operation_id"] == str(at_work.pk)
    assert not REMOVALS.exists()


def test_what_may_be_all_there_is_of_a_cluster_is_not_given_up(ada, cluster, kept, west):
    HostCluster.objects.filter(pk=west.pk).update(breaker=Breaker.OPEN)
    assert "west, on which it is now, does not answer" in problem(forget(ada, cluster), 409, "only-copy")["detail"]
    HostCluster.objects.filter(pk=west.pk).update(breaker=Breaker.CLOSED)
    Placement.objects.filter(pk=kept.pk).update(lost_at=timezone.now())
    problem(forget(ada, cluster), 409, "only-copy")
    Placement.objects.exclude(pk=kept.pk).delete()
    assert "It is on no other host" in problem(forget(ada, cluster), 409, "only-copy")["detail"]
    assert not REMOVALS.exists()


def test_of_several_one_is_named(ada, cluster, kept):
    north = left(cluster, host_row("north"))
    told = problem(forget(ada, cluster), 400)
    assert (told["errors"][0]["field"], told["errors"][0]["accepted"]) == ("host", "east or north")
    assert problem(forget(ada, cluster, host="west"), 400)["errors"][0]["accepted"] == "east or north"
    assert forget(ada, cluster, host="north").status_code == 202
    assert REMOVALS.get().params == {"placement": str(north.pk)}
    assert forget(ada, cluster, host=str(kept.host_id)).status_code == 202


def test_it_takes_who_may_move_it(world, dan, op, cluster, kept):
    assert "admin" in problem(forget(dan, cluster), 403, "forbidden")["hint"]
    assert forget(signed_in(world.greta), cluster).status_code == 404
    operation = forget(op, cluster).json()["operation"]["id"]
    assert op.get(f"{URL}/operations/{operation}").status_code == 200, "staff see through what they began"


# --- all of a host ----------------------------------------------------------------------------------------------------


def test_platform_staff_give_up_all_that_a_host_keeps_but_what_is_needed(op, world, cluster, kept, host, west):
    moving = ready_row(world, west, "moving")
    left(moving, host)
    operation_row(moving, OperationKind.MIGRATE, state=OperationState.PROCESSING)
    elsewhere = left(cluster, host_row("north"))
    planned = forget_on(op, host, "?dry_run=true").json()
    assert (len(planned["operations"]), REMOVALS.count()) == (1, 0)
    answer = forget_on(op, host)
    assert answer.status_code == 202, answer.content
    shown = answer.json()
    removal = REMOVALS.get()
    assert ([each["id"] for each in shown["operations"]], removal.params["placement"]) == (
        [str(removal.pk)],
        str(kept.pk),
    )
    (stays,) = shown["kept"]
    assert stays["virtual_cluster"] == "acme/payments/moving"
    assert "migrate is at work" in stays["why"]
    elsewhere.refresh_from_db()
    assert elsewhere.role == PlacementRole.RETAINED
    assert AuditEvent.objects.get(action="host.forget-retained").details == {"begun": 1, "kept": 1}


def test_who_looks_after_a_host_gives_up_only_what_they_may_move(world, west):
    own = host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme)
    ours, theirs = ready_row(world, west, "ours"), ready_row(world, west, "theirs", project=world.foreign)
    for each in (ours, theirs):
        left(each, own)
    shown = forget_on(signed_in(world.olivia), own).json()
    assert ([len(shown["operations"]), shown["kept"], shown["hidden"]]) == [1, [], 1]
    assert REMOVALS.get().virtual_cluster == ours


def test_it_takes_who_may_change_the_host(ada, host, kept):
    problem(forget_on(ada, host), 403, "forbidden")


# --- disconnecting ----------------------------------------------------------------------------------------------------


def test_a_host_that_keeps_copies_only_says_so_and_advises_no_deletion(op, world, cluster, kept, host, west):
    told = disconnect_refused(op, host)
    until = f"{UNTIL:%Y-%m-%d}"
    assert told["detail"] == f"east keeps a copy of 1 cluster that moved away, until {until}: acme/payments/hello."
    assert "marina host disconnect east --forget-retained" in told["hint"]
    assert "delete" not in told["hint"].lower()
    left(ready_row(world, west, "second"), host, retained_until=UNTIL - timedelta(days=3))
    assert disconnect_refused(op, host)["detail"].startswith(
        f"east keeps copies of 2 clusters that moved away, until {until}: "
    )


def test_each_sort_of_what_is_on_a_host_is_told_apart(op, world, cluster, kept, host, west):
    ready_row(world, host, "lives")
    for name, role in (("comes", PlacementRole.TARGET), ("goes", PlacementRole.LEAVING), ("was", PlacementRole.LOST)):
        left(ready_row(world, west, name), host, role, lost_at=timezone.now() if name == "was" else None)
    told = disconnect_refused(op, host)["detail"]
    for sentence in (
        "east still holds 1 virtual clusters, or is to: acme/payments/lives.",
        "1 cluster is being moved to east: acme/payments/comes.",
        "east keeps a copy of 1 cluster that moved away",
        "east still has what 1 cluster was there when it was given up as lost: acme/payments/was.",
        "What 1 cluster left on east is being removed: acme/payments/goes.",
    ):
        assert sentence in told


def test_what_moved_away_names_no_cluster_that_one_may_not_hear_of(world, west):
    own = host_row("own", scope=HostScope.ORGANIZATION, organization=world.acme)
    left(ready_row(world, west, "theirs", project=world.foreign), own)
    told = disconnect_refused(signed_in(world.olivia), own)["detail"]
    assert "theirs" not in told
    assert told.endswith(": 1 that you may not see.")
