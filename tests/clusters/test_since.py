"""`?since=` of clusters, operations and hosts: also what workers write, and never a lease's renewal."""

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.services.audit import Actor
from accounts.services.role_bindings import role_binding_delete
from clusters.models import Operation, OperationKind, OperationState, VirtualCluster, VirtualClusterPhase
from clusters.services.break_glass import break_glass, break_glass_end
from clusters.services.hosts import host_disconnect, host_update
from clusters.services.region_offers import region_offer_create, region_offer_delete
from clusters.services.transferring import virtual_cluster_transfer
from tests.accounts.conftest import MARINA, World, give, signed_in, world_make
from tests.accounts.following import Copy, Writer
from tests.clusters.conftest import People, people_make
from tests.clusters.making import host_row, operation_row, ready_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db) -> World:
    return world_make()


@pytest.fixture
def people(world) -> People:
    return people_make(world)


def test_a_workers_plain_statement_is_a_change_of_the_operation_and_of_its_cluster(world, people):
    cluster = ready_row(world, host_row())
    operation = operation_row(cluster, OperationKind.CONFIGURE)
    client = signed_in(people.dan)
    clusters, operations = Copy(client, "virtual-clusters"), Copy(client, "operations")
    worker = Writer()
    worker.write("UPDATE clusters_operation SET message = 'half way' WHERE id = %s", operation.pk)
    worker.commit()
    assert operations.ask() == [str(operation.pk)]
    assert clusters.ask() == [str(cluster.pk)]
    assert clusters.rows[str(cluster.pk)]["operation"]["message"] == "half way"
    worker.write(
        "UPDATE clusters_placement SET endpoint = 'https://new.example' WHERE virtual_cluster_id = %s", cluster.pk
    )
    worker.commit()
    worker.close()
    assert clusters.ask() == [str(cluster.pk)]
    assert clusters.rows[str(cluster.pk)]["placement"]["endpoint"] == "https://new.example"


def test_a_lease_that_is_renewed_is_no_change(world, people):
    operation = operation_row(ready_row(world, host_row()), OperationKind.CONFIGURE)
    copy = Copy(signed_in(people.dan), "operations")
    Operation.objects.filter(pk=operation.pk).update(lease_expires_at=timezone.now(), published_at=timezone.now())
    assert copy.ask() == []
    Operation.objects.filter(pk=operation.pk).update(state=OperationState.PROCESSING)
    assert copy.ask() == [str(operation.pk)]


def test_a_cluster_that_came_to_be_deleted_is_told_as_deleted(world, people):
    cluster = ready_row(world, host_row())
    copy = Copy(signed_in(people.dan), "virtual-clusters", "project=acme/payments")
    VirtualCluster.objects.filter(pk=cluster.pk).update(phase=VirtualClusterPhase.DELETED, deleted_at=timezone.now())
    assert copy.ask() == [str(cluster.pk)]
    assert copy.rows == {}


def test_a_host_that_is_no_longer_offered_or_no_longer_there_goes(world, people):
    staff = Actor(user=people.op)
    everybodys, named = host_row("east"), host_row("west", offered_to_all=False)
    mine, foreign, ops = (Copy(signed_in(who), "host-clusters") for who in (people.dan, people.eve, people.op))
    assert set(mine.rows) == {str(everybodys.pk)}
    host_update(host=named, actor=staff, offered_to_organizations=(world.acme,))
    assert mine.ask() == [str(named.pk)]
    host_update(host=everybodys, actor=staff, offered_to_organizations=(world.globex,))
    assert mine.ask() == [str(everybodys.pk)]
    assert set(mine.rows) == {str(named.pk)}
    foreign.ask()
    assert set(foreign.rows) == {str(everybodys.pk)}
    gone = str(named.pk)
    host_disconnect(host=named, actor=staff)
    assert mine.ask() == [gone]
    assert foreign.ask() == [], "never offered there"
    ops.ask()
    assert set(ops.rows) == {str(everybodys.pk)}
    assert mine.rows == {}


def test_a_cluster_that_moved_to_another_project_goes_for_who_sees_the_old_one_only(world, people):
    cluster = ready_row(world, host_row())
    give(people.vera, "viewer", world.search)
    old, both = Copy(signed_in(people.dan), "virtual-clusters"), Copy(signed_in(people.vera), "virtual-clusters")
    operations = Copy(signed_in(people.dan), "operations")
    virtual_cluster_transfer(virtual_cluster=cluster, actor=MARINA, project=world.search, now=timezone.now())
    assert old.ask() == [str(cluster.pk)]
    assert (old.rows, old.relisted) == ({}, 0)
    both.ask()
    assert both.rows[str(cluster.pk)]["project"]["name"] == "search"
    operations.ask()
    assert (operations.rows, operations.relisted) == ({}, 0)


def test_a_share_that_is_given_or_taken_lets_its_person_list_anew(world, people):
    cluster = ready_row(world, host_row())
    mine, shown = Copy(signed_in(people.mia), "virtual-clusters"), Copy(signed_in(people.dan), "role-bindings")
    share = give(people.mia, "viewer", cluster)
    mine.ask()
    assert mine.relisted == 1
    assert set(mine.rows) == {str(cluster.pk)}
    assert shown.ask() == [str(share.pk)]
    assert shown.relisted == 0
    gone = str(share.pk)
    role_binding_delete(actor=MARINA, binding=share, now=timezone.now())
    mine.ask()
    assert (mine.relisted, mine.rows) == (2, {})
    assert shown.ask() == [gone]
    assert gone not in shown.rows


def test_glass_that_was_broken_is_a_change_of_the_cluster(world, people):
    cluster = ready_row(world, host_row())
    copy = Copy(signed_in(people.dan), "virtual-clusters")
    broken = break_glass(
        cluster_id=cluster.pk, actor=Actor(user=people.op), reason="to look at it with them", now=timezone.now()
    )
    assert copy.ask() == [str(cluster.pk)]
    assert copy.rows[str(cluster.pk)]["break_glass"][0]["who"]["handle"] == "op"
    break_glass_end(cluster_id=cluster.pk, grant_id=broken.pk, actor=Actor(user=people.op), now=timezone.now())
    copy.ask()
    assert copy.rows[str(cluster.pk)]["break_glass"] == []


@pytest.mark.parametrize("to", ["acme", "payments"])
def test_a_region_that_is_offered_or_withdrawn_shows_or_hides_its_hosts(world, people, to):
    staff = Actor(user=people.op)
    there = host_row("north", region="north", offered_to_all=False)
    mine, foreign = (Copy(signed_in(who), "host-clusters") for who in (people.dan, people.eve))
    offer = region_offer_create(region="north", to=getattr(world, to), actor=staff)
    assert mine.ask() == [str(there.pk)]
    assert set(mine.rows) == {str(there.pk)}
    region_offer_delete(offer=offer, actor=staff)
    assert mine.ask() == [str(there.pk)]
    assert mine.rows == {}
    region_offer_create(region="north", to=getattr(world, to), actor=staff)
    mine.ask()
    host_update(host=there, actor=staff, region="south")
    assert mine.ask() == [str(there.pk)]
    assert mine.rows == {}, "it left the region that is offered"
    assert foreign.ask() == [], "never offered there"


def test_a_change_that_is_told_to_who_broke_the_glass_leaves_a_line_as_a_list_does(world, people):
    cluster = ready_row(world, host_row())
    op = signed_in(people.op)
    break_glass(
        cluster_id=cluster.pk, actor=Actor(user=people.op), reason="OPS-17: it is stuck", minutes=5, now=timezone.now()
    )
    copy = Copy(op, "virtual-clusters")
    uses = AuditEvent.objects.filter(action="break-glass.use", object_id=str(cluster.pk))
    assert uses.count() == 1
    VirtualCluster.objects.filter(pk=cluster.pk).update(labels={"a": "b"})
    assert copy.ask() == [str(cluster.pk)]
    assert uses.count() == 2
