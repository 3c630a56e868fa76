"""A cluster whose Kubernetes knows no admission policies moves where somebody agreed; people's access waits."""

import pytest
from django.utils import timezone

from clusters.moving import FREEZE
from clusters.services.operations import operation_abort
from provisioning.drivers.kinds import (
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    SECRET,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
    Json,
)
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.flows.migrate import MIGRATE
from provisioning.moving.freezing import freeze_supported
from provisioning.moving.holding import is_held
from provisioning.steps.kubeconfig import account_manifests
from provisioning.steps.names import MANAGED_BY
from provisioning.steps.names import MARINA as MANAGED_BY_MARINA
from tests.accounts.conftest import MARINA
from tests.chosen import CHOSEN
from tests.e2e.moving_here import with_step
from tests.provisioning.moving.conftest import Wanderer
from tests.provisioning.moving.test_carrying import at_source, put

AGREED = {**CHOSEN, "unfrozen": "proceed"}
BINDING = "marina:user-x-admin"


@pytest.fixture
def older(wanderer: Wanderer) -> Wanderer:
    """On hosts whose clusters have none; somebody has access past the gateway."""
    for host in (wanderer.shop.fake, wanderer.beyond):
        host.unknown |= {VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY_BINDING}
    with wanderer.inside() as kube:
        assert not freeze_supported(kube)
        for each in account_manifests("user-x-admin", "admin", {MANAGED_BY: MANAGED_BY_MARINA}, handle="x"):
            kube.apply(each)
        put(kube, CONFIG_MAP, "there")
    return wanderer


def given(kube: KubeClient) -> Json:
    found = kube.get(CLUSTER_ROLE_BINDING, BINDING)
    assert found is not None
    return found


def test_it_does_not_move_where_nobody_agreed(older: Wanderer) -> None:
    operation = older.move()
    assert (operation.state, operation.error_code) == ("Failed", "needs-choice")
    assert (older.cluster.phase, older.placements()["active"]) == ("Ready", "east")
    with older.inside() as kube:
        assert given(kube)["subjects"]


def test_access_that_people_were_given_is_suspended_while_it_moves_and_none_is_left_so(older: Wanderer) -> None:
    seen: list[tuple[bool, bool, bool]] = []

    def look(context: StepContext) -> None:
        with context.virtual() as kube:
            binding = given(kube)
        frozen = older.cluster.frozen_at is not None and context.params[FREEZE] is None
        seen.append((frozen, is_held(binding), bool(binding.get("subjects"))))

    operation = older.move(flow=with_step(MIGRATE, "freeze-source", "look", look), choices=AGREED)
    assert operation.state == "Succeeded", operation.message
    assert seen == [(True, True, False)]
    assert older.placements() == {"active": "beyond", "retained": "east"}
    assert (older.cluster.phase, older.cluster.frozen_at) == ("Ready", None)
    with older.inside() as kube:
        assert kube.get(CONFIG_MAP, "there", "shop")
        assert kube.get(SECRET, "door", "shop")
        bindings = kube.list(CLUSTER_ROLE_BINDING, label_selector=f"{MANAGED_BY}={MANAGED_BY_MARINA}")
        assert not [each for each in bindings if is_held(each)]


def test_one_that_is_put_back_has_its_access_again(older: Wanderer) -> None:
    with older.inside() as kube:
        before = given(kube)["subjects"]

    def abort(context: StepContext) -> None:
        operation_abort(operation=context.operation, actor=MARINA, now=timezone.now())

    operation = older.move(flow=with_step(MIGRATE, "stop-workloads-last", "abort", abort), choices=AGREED)
    assert operation.state == "Aborted", operation.message
    assert (older.cluster.phase, older.cluster.frozen_at) == ("Ready", None)
    with older.inside() as kube:
        binding = given(kube)
        assert (is_held(binding), binding["subjects"]) == (False, before)


def test_what_a_program_in_it_writes_after_the_last_copy_is_seen_all_the_same(older: Wanderer) -> None:
    act = at_source(lambda kube: put(kube, CONFIG_MAP, "late"))
    operation = older.move(flow=with_step(MIGRATE, "stop-workloads-last", "late", act), choices=AGREED)
    assert (operation.state, operation.error_code) == ("Failed", "unfrozen")
    with older.inside() as kube:
        assert kube.get(CONFIG_MAP, "late", "shop")
        assert given(kube)["subjects"]
