"""Sleep and wake where something is in the way: the host is away, or exports cannot be kept."""

from dataclasses import replace

from django.utils import timezone

from accounts.services.audit import Actor
from clusters.models import Breaker, Export, HostCluster, Operation, VirtualCluster
from clusters.services.sleeping import virtual_cluster_sleep, virtual_cluster_wake
from provisioning.drivers.kinds import STATEFUL_SET
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.engine.breaker import host_answered, host_failed
from provisioning.engine.context import StepContext
from provisioning.engine.flow import step
from provisioning.flows.sleep import SLEEP
from tests.e2e.in_process import operation_finish, runner_here
from tests.provisioning.shops import Shop


def sleep(shop: Shop) -> Operation:
    actor = Actor(user=shop.world.olivia)
    return operation_finish(
        virtual_cluster_sleep(virtual_cluster=shop.cluster, actor=actor, now=timezone.now()).operation
    )


def replicas(shop: Shop) -> int:
    with connection_open(shop.fake.connection, target="host of the test") as api:
        found = KubeClient(api).get(STATEFUL_SET, shop.placement.release, shop.placement.namespace)
    assert found is not None
    return int(found["spec"]["replicas"])


def phase(shop: Shop) -> str:
    return str(VirtualCluster.objects.get(pk=shop.cluster.pk).phase)


def test_waking_on_a_host_that_is_away_waits_for_it_and_uses_up_no_attempt(shop):
    assert (sleep(shop).state, replicas(shop), phase(shop)) == ("Succeeded", 0, "Asleep")
    host, now = HostCluster.objects.get(), timezone.now()
    for _ in range(2):
        host_failed(host_id=host.pk, why="It is silent.", now=now)
    actor = Actor(user=shop.world.olivia)
    wake = virtual_cluster_wake(virtual_cluster=shop.cluster, actor=actor, now=now).operation
    runner_here().run(wake.pk)
    wake.refresh_from_db()
    assert (wake.finished, wake.attempt, wake.waiting_host_id) == (False, 0, host.pk)
    assert "has not answered" in wake.message
    host_answered(host_ids=[host.pk], now=now)
    HostCluster.objects.update(breaker=Breaker.CLOSED)
    Operation.objects.update(waiting_host=None, run_after=None)
    assert operation_finish(wake).state == "Succeeded"
    assert (replicas(shop), phase(shop)) == (1, "Ready")


def test_one_that_cannot_be_exported_stays_awake(shop):
    shop.folder.write_text("no folder")
    asleep = sleep(shop)
    assert (asleep.state, asleep.error_code) == ("Failed", "export-storage")
    assert (replicas(shop), phase(shop)) == (1, "Ready")
    assert Export.objects.get().state == "Failed"


def test_falling_asleep_exports_what_is_in_it(shop):
    assert sleep(shop).state == "Succeeded"
    export = Export.objects.get()
    assert (export.cause, export.state) == ("sleep", "Complete")


def test_a_pod_that_comes_while_it_is_exported_and_would_not_come_back_keeps_it_awake(shop):
    @step("Somebody tries something")
    def try_something(context: StepContext) -> None:
        pod = {"metadata": {"name": "lone", "namespace": "shop"}, "spec": {"containers": []}}
        with context.virtual() as virtual:
            virtual.create({"apiVersion": "v1", "kind": "Pod", **pod})

    looked, exported, *rest = SLEEP.steps
    meanwhile = replace(SLEEP, steps=(looked, exported, try_something, *rest))
    actor = Actor(user=shop.world.olivia)
    asked = virtual_cluster_sleep(virtual_cluster=shop.cluster, actor=actor, now=timezone.now()).operation
    asleep = operation_finish(asked, flows={SLEEP.kind: meanwhile})
    assert (asleep.state, asleep.error_code) == ("Failed", "lone-pods")
    assert "shop/lone" in asleep.error_message
    assert (replicas(shop), phase(shop)) == (1, "Ready")


def test_a_sleep_or_wake_that_fails_leaves_one_that_was_failed_as_it_was(shop):
    """It may have been asked for while its making was still under way."""
    told = [
        {"type": "Ready", "status": "False", "reason": "ProvisionFailed", "message": "x", "last_transition_time": ""}
    ]
    VirtualCluster.objects.update(conditions=told)
    shop.folder.write_text("no folder")
    assert (sleep(shop).state, phase(shop)) == ("Failed", "Failed")
    with connection_open(shop.fake.connection, target="host of the test") as api:
        KubeClient(api).delete(STATEFUL_SET, shop.placement.release, shop.placement.namespace)
    VirtualCluster.objects.update(phase="Asleep")
    actor = Actor(user=shop.world.olivia)
    wake = virtual_cluster_wake(virtual_cluster=shop.cluster, actor=actor, now=timezone.now()).operation
    assert operation_finish(wake).error_code == "vanished"
    assert phase(shop) == "Failed"


def test_one_that_was_stopped_on_its_host_is_not_put_to_sleep_and_the_way_out_is_named(shop):
    with connection_open(shop.fake.connection, target="host of the test") as api:
        kube, placement = KubeClient(api), shop.placement
        kube.patch_merge(STATEFUL_SET, placement.release, placement.namespace, {"spec": {"replicas": 0}})
    operation = sleep(shop)
    assert (operation.state, operation.error_code, operation.attempt) == ("Failed", "stopped-outside", 0)
    assert "marina configure shop" in operation.error_hint
