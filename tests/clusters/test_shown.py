"""What lists show by hand is what the serializers, and with them the API's document, say."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer

from accounts.models import User
from accounts.services.role_giving import role_put
from clusters.api.operation_serializers import OperationSerializer
from clusters.api.shown import cluster_shown
from clusters.api.virtual_cluster_serializers import OwnerSerializer, SpecSerializer, VirtualClusterSerializer
from clusters.models import OperationKind, OperationState, Placement, VirtualCluster
from clusters.selectors import operations_list, virtual_clusters_list, virtual_clusters_page
from tests.accounts.conftest import MARINA
from tests.accounts.machines import machine
from tests.clusters.making import cluster_row, operation_row, ready_row


def _both(serializer: serializers.ModelSerializer[Any], row) -> tuple[object, object]:
    by_hand = serializer.to_representation(row)
    by_fields = serializers.ModelSerializer.to_representation(serializer, row)
    return tuple(json.loads(JSONRenderer().render(each)) for each in (by_hand, by_fields))


@pytest.fixture
def rows(world, people, host):
    User.objects.filter(pk=world.olivia.pk).update(name="Olivia O.")
    world.olivia.refresh_from_db()
    full = ready_row(
        world,
        host,
        "full",
        labels={"a": "b"},
        values={"sync": {}},
        wanted_region="north",
        wanted_host_labels={"disk": "ssd"},
        expires_at=datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC),
        kubeconfig_ceiling="view",
        conditions=[
            {
                "type": "Ready",
                "status": "True",
                "reason": "R",
                "message": "m",
                "last_transition_time": "2026-11-26T00:00:00Z",
            }
        ],
        deleted_at=datetime(2026, 11, 26, 1, 2, 3, 456, tzinfo=UTC),
    )
    _glass_broken(full, people.op)
    Placement.objects.filter(virtual_cluster=full).update(
        why="It has the most room.", not_synced=[{"kind": "Ingress", "reason": "no"}], adopted={}
    )
    now = timezone.now()
    operation_row(
        full,
        OperationKind.CONFIGURE,
        state=OperationState.ERROR,
        requested_by=people.dan,
        waiting_host=host,
        steps=[{"key": "a", "name": "A", "state": "done", "started_at": "2026-11-26T00:00:00Z", "note": "n"}],
        error_code="x",
        error_message="broken",
        error_hint="mend",
        run_after=now,
        started_at=now,
        sealed_until=now,
        left_behind=[{"kind": "Namespace", "name": "n", "namespace": "", "host": "east"}],
    )
    operation_row(host, OperationKind.RENEW_CREDENTIAL)
    cluster_row(world, "bare", owner_user=None, owner_team=world.dockers)
    cluster_row(world, "of-a-program", owner_user=machine(world.payments).user, creator=machine(world.search).user)


def _glass_broken(cluster: VirtualCluster, user: User) -> None:
    now = timezone.now()
    end = now + timedelta(minutes=5)
    role_put(actor=MARINA, subject=user, role="viewer", scope=cluster, expires_at=end, reason="to look at it", now=now)


def test_a_virtual_cluster_is_shown_by_hand_as_by_its_fields(rows, world):
    for found in (virtual_clusters_list(world.olivia), virtual_clusters_page(virtual_clusters_list(world.olivia))):
        assert found.count() == 3
        for cluster in found:
            by_hand, by_fields = _both(VirtualClusterSerializer(), cluster)
            assert by_hand == by_fields


def test_each_kind_of_owner_is_shown_as_the_document_says(rows, world):
    owners = {each.name: cluster_shown(each)["owner"] for each in virtual_clusters_list(world.olivia)}
    assert {name: owner["kind"] for name, owner in owners.items()} == {
        "full": "user",
        "bare": "team",
        "of-a-program": "service-account",
    }
    for owner in owners.values():
        assert OwnerSerializer(owner).data == owner
    shown = next(cluster_shown(each) for each in virtual_clusters_list(world.olivia) if each.name == "full")
    assert SpecSerializer(shown["spec"]).data == shown["spec"]
    assert [each["who"]["handle"] for each in shown["break_glass"]] == ["op"]


def test_an_operation_is_shown_by_hand_as_by_its_fields(rows, people):
    assert operations_list(people.ada).count() == 2
    for operation in (*operations_list(people.ada), *operations_list(people.op)):
        by_hand, by_fields = _both(OperationSerializer(), operation)
        assert by_hand == by_fields
