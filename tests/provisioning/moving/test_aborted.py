"""A move that is aborted, at whatever step, leaves the source as it was until people are let to the target."""

import json
from typing import Any

import pytest
from django.utils import timezone

from clusters.models import Placement, PlacementRole
from clusters.services.operations import operation_abort
from provisioning.drivers.kinds import NAMESPACE, Json
from provisioning.engine.context import StepContext
from provisioning.flows.migrate import FINAL, MIGRATE
from tests.accounts.conftest import MARINA
from tests.e2e.moving_here import with_step
from tests.fakes.cluster import FakeCluster
from tests.provisioning.moving.conftest import Wanderer
from tests.provisioning.moving.test_carrying import deployed

KEYS = [step.key for step in MIGRATE.steps]
BEFORE = KEYS[: KEYS.index(FINAL)]
MADE_ANEW = ("Pod", "ReplicaSet")
COUNTED = ("managedFields", "generation", "resourceVersion")


def abort(context: StepContext) -> None:
    operation_abort(operation=context.operation, actor=MARINA, now=timezone.now())


def plain(cluster: FakeCluster) -> dict[str, Json]:
    """What is in it, but who wrote it and how often, what pods come and go, and what controllers say of these."""
    with cluster.lock:
        values = [
            json.loads(json.dumps(each.value)) for each in cluster.store.each() if each.kind.kind not in MADE_ANEW
        ]
    for value in values:
        value.pop("status", None)
        value["metadata"] = {key: each for key, each in value["metadata"].items() if key not in COUNTED}
    return {
        f"{each['kind']} {each['metadata'].get('namespace', '')}/{each['metadata']['name']}": each for each in values
    }


def as_it_is(wanderer: Wanderer) -> dict[str, Any]:
    """The cluster's row, what is on its host and what is in it."""
    placement = Placement.objects.get(virtual_cluster=wanderer.cluster, role=PlacementRole.ACTIVE)
    inner = wanderer.shop.fake.virtual(placement.namespace, f"{placement.release}-0")
    assert inner is not None
    cluster = wanderer.cluster
    row = (cluster.phase, cluster.sleeping, cluster.frozen_at, cluster.frozen_why, cluster.wanted_host_id)
    return {"row": row, "host": plain(wanderer.shop.fake.cluster), "inside": plain(inner)}


@pytest.mark.parametrize("after", BEFORE)
def test_an_abort_puts_it_back_before_people_are_let_to_the_target(wanderer: Wanderer, after: str) -> None:
    with wanderer.inside() as kube:
        deployed(kube)
    before = as_it_is(wanderer)
    operation = wanderer.move(flow=with_step(MIGRATE, after, "abort", abort))
    assert (operation.state, operation.message) == ("Aborted", "Aborted by tests.")
    assert as_it_is(wanderer) == before
    wanderer.tidy()
    assert wanderer.placements() == {"active": "east"}
    assert wanderer.host(wanderer.beyond).get(NAMESPACE, wanderer.shop.placement.namespace) is None
