"""`?since=` of clusters, operations and hosts: also what workers write, and never a lease's renewal."""

import pytest
from django.utils import timezone

from accounts.services.audit import Actor
from clusters.models import Operation, OperationKind, OperationState, VirtualCluster, VirtualClusterPhase
from clusters.services.hosts import host_disconnect, host_update
from tests.accounts.conftest import World, signed_in, world_make
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
