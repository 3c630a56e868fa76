"""The look ahead of a move, on fake hosts: what is told, and what ends the move before anything is done."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Notification
from accounts.services.audit import Actor
from clusters.models import (
    HostCluster,
    KubeconfigGrant,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
    VirtualCluster,
)
from clusters.move_wish import MoveWish
from clusters.services.migrating import virtual_cluster_migrate, virtual_cluster_migrate_preflight
from clusters.services.move_notices import move_ended_tell
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import PERSISTENT_VOLUME_CLAIM
from provisioning.engine.flow import Flow, step
from provisioning.moving.expecting import FREEZE, GUESSED_FREEZE, STARTING, measured
from provisioning.steps.move_check import check_inside, check_move
from provisioning.steps.moving import place_target
from tests.e2e.in_process import operation_finish
from tests.fakes.host import FakeHost
from tests.provisioning.hosts import host_at
from tests.provisioning.shops import Shop, api_groups

Json = dict[str, Any]
ONLY_CHECK = {OperationKind.MIGRATE: Flow(kind=OperationKind.MIGRATE, steps=(check_move, check_inside))}


@pytest.fixture
def west(shop: Shop, certificates: Any) -> Iterator[FakeHost]:
    with FakeHost(certificates) as fake:
        host_at(fake.connection, "west", api_groups=api_groups(fake), exposure="Local", storage_class="standard")
        yield fake


def put(shop: Shop, *manifests: Json) -> None:
    with Clients().virtual(shop.placement, lambda: None) as virtual:
        for manifest in manifests:
            virtual.apply(manifest)


def wish(**parts: Any) -> MoveWish:
    return MoveWish(to=None if parts.get("back") else HostCluster.objects.get(name="west"), **parts)


def actor(shop: Shop) -> Actor:
    return Actor(user=shop.world.olivia)


def looked(shop: Shop, **parts: Any) -> Json:
    """The report of a preflight."""
    started = virtual_cluster_migrate_preflight(
        virtual_cluster=shop.cluster, actor=actor(shop), now=timezone.now(), move=wish(**parts)
    )
    done = operation_finish(started)
    assert done.state == OperationState.SUCCEEDED, done.error_message
    report: Json = done.params["report"]
    return report


def moved(shop: Shop, **parts: Any) -> Operation:
    """As far as the check of a move comes."""
    work = virtual_cluster_migrate(
        virtual_cluster=shop.cluster, actor=actor(shop), now=timezone.now(), move=wish(**parts)
    )
    return operation_finish(work.operation, flows=ONLY_CHECK)


def by_weight(report: Json, weight: str) -> list[str]:
    return [each["code"] for each in report["findings"] if each["weight"] == weight]


@step("Wake it")
def _wake(context: Any) -> None:
    context.write(context.virtual_cluster, sleeping=False)


JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "load", "namespace": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "a"}]}}},
}
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"replicas": 2, "template": {"spec": {"terminationGracePeriodSeconds": 7, "containers": []}}},
}


def claim_bound(shop: Shop) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop"},
        "spec": {"storageClassName": "standard", "resources": {"requests": {"storage": "4Gi"}}},
    }
    put(shop, claim)
    with Clients().virtual(shop.placement, lambda: None) as virtual:
        virtual.patch_merge(PERSISTENT_VOLUME_CLAIM, "data", "shop", {"status": {"phase": "Bound"}})


def test_a_plain_cluster_has_nothing_in_its_way_and_the_plan_says_what_will_be_done(shop, west):
    put(shop, WEB)
    report = looked(shop)
    assert by_weight(report, "blocks") == by_weight(report, "choice") == []
    assert report["plan"][0].startswith("It goes from east to west. west: asked for by name")
    assert any("Deployment.apps shop/web (It has 2 replicas" in sentence for sentence in report["plan"])
    assert report["expected"]["write freeze"] == GUESSED_FREEZE
    assert moved(shop).state == OperationState.SUCCEEDED


def test_a_look_changes_nothing_and_waits_for_nobody(shop, west):
    changes: list[Any] = []
    for fake in (shop.fake, west):
        fake.cluster.before.append(changes.append)
    Operation.objects.create(kind=OperationKind.EXPORT, virtual_cluster=shop.cluster, state=OperationState.PROCESSING)
    looked(shop)
    assert changes == []
    assert Placement.objects.count() == 1


def test_a_move_with_volumes_refuses_to_start_without_a_choice_and_says_the_command(shop, west):
    claim_bound(shop)
    put(shop, JOB)
    operation = moved(shop)
    assert (operation.state, operation.error_code) == (OperationState.FAILED, "needs-choice")
    assert "What volumes hold does not move: 1 claim with 4 GiB" in operation.error_message
    assert "1 Job is running" in operation.error_message
    assert operation.error_hint == (
        "Choose: marina migrate shop --project acme/payments --to west --volumes recreate-empty --jobs restart|wait"
    )
    chosen = moved(shop, choices={"volumes": "recreate-empty", "jobs": "restart"})
    assert chosen.state == OperationState.SUCCEEDED
    assert {each["code"] for each in chosen.params["report"]["findings"]} >= {"bound-volumes", "running-jobs"}


def test_a_class_that_the_target_lacks_blocks_whatever_was_chosen(shop, west):
    claim_bound(shop)
    put(
        shop,
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "fast", "namespace": "shop"},
            "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}},
        },
    )
    operation = moved(shop, choices={"volumes": "recreate-empty"})
    assert operation.error_code == "blocked"
    assert "west has no storage class fast, which these claims name (shop/fast)." in operation.error_message


def test_a_host_that_does_not_answer_is_found_whatever_its_breaker_says(shop, west):
    west.go_down()
    report = looked(shop)
    assert by_weight(report, "blocks") == ["host-unreachable"]
    assert moved(shop).error_code == "blocked"


def test_all_that_keeps_it_from_a_host_stands_in_the_report(shop, west):
    HostCluster.objects.filter(name="west").update(cordoned=True, ingress_classes=[])
    report = looked(shop)
    assert by_weight(report, "blocks") == ["host-cordoned"]
    assert report["findings"][0]["message"] == "west: It is cordoned: it takes nothing new."


def test_what_is_different_at_the_host_is_told(shop, west):
    missing = {"type": "Authorized", "status": "False", "reason": "Missing", "message": "It may not list nodes."}
    groups = [each for each in HostCluster.objects.get(name="west").api_groups if not each.startswith("policy/")]
    HostCluster.objects.filter(name="west").update(conditions=[missing], api_groups=groups, exposure="None")
    Placement.objects.update(syncs_priority_classes=True)
    report = looked(shop)
    found = {each["code"]: each for each in report["findings"]}
    assert found["host-permissions"]["weight"] == "blocks"
    assert found["host-permissions"]["message"] == "west: It may not list nodes."
    assert "west does not take disruption budgets from virtual clusters" in found["not-synced"]["message"]
    assert "west publishes no address of its API" in found["address"]["message"]
    assert found["priority-classes"]["weight"] == "note"


def test_what_runs_in_it_has_to_find_room_too(shop, west):
    asks = {"cpu": 7000, "memory": 1024**3, "pods": 4}
    HostCluster.objects.filter(name="east").update(
        capacity={"requested_by_namespace": {shop.placement.namespace: asks}}
    )
    room = {"allocatable": {"cpu": 6000, "memory": 64 * 1024**3, "pods": 110}, "requested": {"cpu": 100, "memory": 0}}
    HostCluster.objects.filter(name="west").update(capacity=room, surveyed_at=timezone.now())
    report = looked(shop)
    assert by_weight(report, "blocks") == ["host-full"]
    assert "5.9 CPU free of 6, 7 needed" in report["findings"][0]["message"]


def test_orders_that_would_do_harm_are_refused_with_the_reason(shop, west):
    put(shop, WEB)
    report = looked(shop, orders={"Deployment.apps shop/gone": "stop-first", "Deployment.apps shop/web": "stop-first"})
    assert by_weight(report, "blocks") == ["order-refused"]
    assert any("Deployment.apps shop/web (It was asked for)" in sentence for sentence in report["plan"])


def test_of_one_asleep_is_told_what_can_be_and_the_rest_is_looked_at_when_it_is_awake(shop, west):
    claim_bound(shop)
    VirtualCluster.objects.update(sleeping=True, phase="Asleep")
    report = looked(shop)
    assert "asleep" in by_weight(report, "note")
    assert "bound-volumes" not in by_weight(report, "choice")
    work = virtual_cluster_migrate(virtual_cluster=shop.cluster, actor=actor(shop), now=timezone.now(), move=wish())
    awake_then = Flow(kind=OperationKind.MIGRATE, steps=(check_move, _wake, check_inside))
    operation = operation_finish(work.operation, flows={OperationKind.MIGRATE: awake_then})
    assert operation.error_code == "needs-choice"
    assert [each["state"] for each in operation.steps] == ["done", "done", "failed"]


def test_what_the_move_has_made_already_is_not_in_its_own_way(shop, west):
    Placement.objects.create(
        virtual_cluster=shop.cluster,
        host=HostCluster.objects.get(name="west"),
        namespace="marina-shop",
        release="shop",
        role=PlacementRole.TARGET,
    )
    assert by_weight(looked(shop), "blocks") == []


def test_a_host_that_was_disconnected_meanwhile_ends_the_move(shop, west):
    work = virtual_cluster_migrate(virtual_cluster=shop.cluster, actor=actor(shop), now=timezone.now(), move=wish())
    HostCluster.objects.filter(name="west").delete()
    assert operation_finish(work.operation, flows=ONLY_CHECK).error_code == "blocked"


def test_the_place_is_chosen_by_the_same_rules_as_it_was_asked_for(shop, west):
    work = virtual_cluster_migrate(virtual_cluster=shop.cluster, actor=actor(shop), now=timezone.now(), move=wish())
    HostCluster.objects.filter(name="west").update(cordoned=True)
    only_place = Flow(kind=OperationKind.MIGRATE, steps=(place_target,))
    operation = operation_finish(work.operation, flows={OperationKind.MIGRATE: only_place})
    assert (operation.error_code, operation.error_message) == (
        "host-cordoned",
        "west: It is cordoned: it takes nothing new.",
    )
    assert Placement.objects.count() == 1


def grant(shop: Shop, days: int) -> KubeconfigGrant:
    return KubeconfigGrant.objects.create(
        virtual_cluster=shop.cluster,
        user=shop.world.olivia,
        level="admin",
        expires_at=timezone.now() + timedelta(days=days),
    )


def test_holders_of_unexpired_direct_kubeconfigs_are_named_and_told_when_it_has_moved(shop, west):
    grant(shop, days=-1)
    assert "direct-kubeconfigs" not in by_weight(looked(shop), "note")
    grant(shop, days=2)
    (found,) = [each for each in looked(shop)["findings"] if each["code"] == "direct-kubeconfigs"]
    assert found["about"] == "olivia"
    operation = moved(shop)
    move_ended_tell(operation, timezone.now())
    (told,) = Notification.objects.filter(kind="cluster-moved")
    assert (told.recipient, told.command) == (
        shop.world.olivia,
        "marina kubeconfig shop --project acme/payments --direct",
    )
    assert "works no more" in told.text


def test_an_owner_without_a_direct_kubeconfig_is_told_that_nothing_has_to_be_done(shop, west):
    move_ended_tell(moved(shop), timezone.now())
    (told,) = Notification.objects.filter(kind="cluster-moved")
    assert told.recipient == shop.world.olivia
    assert "its address at the gateway is the same" in told.text


def test_what_is_expected_is_the_median_of_what_was_measured(shop, west):
    assert measured(FREEZE) is measured(STARTING) is None
    for seconds in (3.0, 4.0, 90.0):
        Operation.objects.create(
            kind=OperationKind.MIGRATE,
            state=OperationState.SUCCEEDED,
            finished_at=timezone.now(),
            params={"measured": {"freeze_seconds": seconds, "starting_seconds": seconds + 1}},
        )
    report = looked(shop)
    assert report["expected"]["write freeze"] == 4.0
    assert measured(STARTING) == 5.0
    assert any("about 4 s (as measured in the newest moves)" in sentence for sentence in report["plan"])
