"""What lists show by hand is what the serializers, and with them the API's document, say."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer

from clusters.api.operation_serializers import OperationSerializer
from clusters.api.virtual_cluster_serializers import VirtualClusterSerializer
from clusters.models import OperationKind, OperationState, Placement
from clusters.selectors import operations_list, virtual_clusters_list, virtual_clusters_page
from tests.clusters.making import cluster_row, operation_row, ready_row


def _both(serializer: serializers.ModelSerializer[Any], row) -> tuple[object, object]:
    by_hand = serializer.to_representation(row)
    by_fields = serializers.ModelSerializer.to_representation(serializer, row)
    return tuple(json.loads(JSONRenderer().render(each)) for each in (by_hand, by_fields))


@pytest.fixture
def rows(world, people, host):
    full = ready_row(
        world,
        host,
        "full",
        labels={"a": "b"},
        values={"sync": {}},
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
    Placement.objects.filter(virtual_cluster=full).update(not_synced=[{"kind": "Ingress", "reason": "no"}], adopted={})
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


def test_a_virtual_cluster_is_shown_by_hand_as_by_its_fields(rows, world):
    for found in (virtual_clusters_list(world.olivia), virtual_clusters_page(virtual_clusters_list(world.olivia))):
        assert found.count() == 2
        for cluster in found:
            by_hand, by_fields = _both(VirtualClusterSerializer(), cluster)
            assert by_hand == by_fields


def test_an_operation_is_shown_by_hand_as_by_its_fields(rows, people):
    assert operations_list(people.ada).count() == 2
    for operation in (*operations_list(people.ada), *operations_list(people.op)):
        by_hand, by_fields = _both(OperationSerializer(), operation)
        assert by_hand == by_fields
