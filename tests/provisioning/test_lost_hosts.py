"""A host is lost: what was on it is made again on another one, and is stopped where it was once that is back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.errors import Conflict, InvalidInput
from accounts.models import AuditEvent, Notification
from accounts.services.audit import Actor
from clusters.models import Export, Exposure, HostCluster, KubeconfigGrant, Operation, OperationKind, Placement
from clusters.moving import TO
from clusters.preflight import CHOICES
from clusters.services.configuring import virtual_cluster_configure
from clusters.services.exports import restoring
from clusters.services.hosts import host_disconnect
from clusters.services.kubeconfigs import kubeconfig_issue
from clusters.services.lost_hosts import host_found
from clusters.services.operations import operation_start
from clusters.services.placements import lost_waits_end, placements_sweep
from clusters.services.sleeping import virtual_cluster_sleep
from clusters.services.virtual_clusters import virtual_cluster_delete
from dev.waiting import wait_until
from provisioning.drivers.clients import Clients
from provisioning.drivers.kinds import CONFIG_MAP, NAMESPACE, SECRET, SERVICE_ACCOUNT, STATEFUL_SET
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.engine.flow import Wait
from provisioning.flows import FLOWS
from provisioning.steps.names import ACCESS_NAMESPACE
from tests.clusters.making import PUBLIC_KEY
from tests.e2e.in_process import operation_finish, runner_here
from tests.fakes.host import FakeHost
from tests.provisioning.hosts import host_at
from tests.provisioning.lost import Loss, objects_on
from tests.provisioning.shops import api_groups


def sleep(loss: Loss) -> None:
    actor = Actor(user=loss.shop.world.olivia)
    work = virtual_cluster_sleep(virtual_cluster=loss.cluster, actor=actor, now=timezone.now())
    assert operation_finish(work.operation).state == "Succeeded"


def replicas(loss: Loss) -> list[int]:
    return [each["spec"]["replicas"] for each in objects_on(loss.shop.fake, STATEFUL_SET)]


def told(kind: str) -> list[str]:
    return list(Notification.objects.filter(kind=kind).values_list("text", flat=True))


def move(loss: Loss, **params: Any) -> Operation:
    """Begun, to west unless it goes back."""
    wanted = params or {TO: str(loss.west.pk)}
    with transaction.atomic():
        return operation_start(
            kind=OperationKind.MIGRATE,
            subject=loss.cluster,
            actor=Actor(user=loss.shop.world.olivia),
            now=timezone.now(),
            params={CHOICES: {}, **wanted},
        ).operation


def worked_until(operation: Operation, step: str) -> None:
    """Works on it until it is about to do this step; by a worker of its own each time."""
    flow = FLOWS[OperationKind(operation.kind)]
    gate = replace(
        next(each for each in flow.steps if each.key == step), run=lambda context: Wait(0.0, "The test waits here.")
    )
    steps = tuple(gate if each.key == step else each for each in flow.steps)
    runner = runner_here({**FLOWS, flow.kind: replace(flow, steps=steps)})

    def there() -> bool:
        runner.run(operation.pk)
        operation.refresh_from_db()
        return operation.message == "The test waits here."

    wait_until(there, seconds=60, what=f"{operation} did not come to {step}")
    Operation.objects.filter(pk=operation.pk).update(run_after=None)


def condition(loss: Loss) -> dict[str, str]:
    return next(each for each in loss.cluster.conditions if each["type"] == "Recovered")


def test_it_comes_back_on_another_host_as_it_was_exported(loss):
    export = loss.export()
    loss.write("later")
    loss.goes()
    operation = loss.recovered()
    assert operation.state == "Succeeded", operation.message
    assert loss.roles() == {"east": "lost", "west": "active"}
    assert (loss.cluster.phase, loss.cluster.wanted_host) == ("Ready", loss.west)
    assert loss.inside(SECRET, "door", "shop")
    assert loss.inside(CONFIG_MAP, "later", "shop") is None
    assert f"as it was on {export.finished_at:%Y-%m-%d %H:%M} UTC" in condition(loss)["message"]
    assert condition(loss)["reason"] == "FromExport"
    assert "was lost. It is made again elsewhere. As it was exported on" in told("cluster-lost")[0]
    assert "What was written after that is not there." in told("cluster-recovered")[0]
    audited = AuditEvent.objects.get(action="host.lost")
    assert audited.details["clusters"] == 1
    assert HostCluster.objects.get(name="east").cordoned


def test_what_the_lost_host_has_is_stopped_as_soon_as_it_is_back_then_kept_then_removed(loss, settings):
    loss.export()
    loss.goes()
    loss.recovered()
    runner_here().run(loss.quarantine().pk)
    waiting = loss.quarantine()
    assert (waiting.finished, waiting.waiting_host) == (False, loss.east)
    loss.comes_back()
    assert replicas(loss) == [1]
    assert loss.quarantined().state == "Succeeded"
    assert replicas(loss) == [0]
    kept = loss.placement("retained")
    seconds = (kept.retained_until - kept.role_since).total_seconds()
    assert (kept.host, seconds) == (loss.east, settings.MOVE_RETAINED_SECONDS)
    assert loss.inside(SECRET, "door", "shop"), "it goes on where it is now"
    later = kept.retained_until + timedelta(seconds=1)
    assert placements_sweep(now=later) == 1
    removal = Operation.objects.get(kind=OperationKind.REMOVE_PLACEMENT)
    assert operation_finish(removal).state == "Succeeded"
    assert loss.roles() == {"west": "active"}
    namespaces = [each["metadata"]["name"] for each in objects_on(loss.shop.fake, NAMESPACE)]
    assert kept.namespace not in namespaces
    assert "default" in namespaces


def test_a_host_that_answers_is_not_given_up_without_force_and_a_reason(loss):
    with pytest.raises(Conflict, match="answers, so it is not lost"):
        loss.said()
    with pytest.raises(InvalidInput):
        loss.said(force=True)
    assert loss.said(force=True, reason="Its disks fail.").host.lost_why == "Its disks fail."


def test_where_it_answers_it_is_stopped_there_before_it_is_made_again(loss):
    loss.export()
    (operation,) = loss.said(force=True, reason="Its disks fail.").operations
    runner_here().run(operation.pk)
    operation.refresh_from_db()
    assert operation.message == "east answers; waiting until it is stopped there."
    assert loss.quarantined().state == "Succeeded"
    assert operation_finish(operation).state == "Succeeded"
    assert loss.roles() == {"east": "retained", "west": "active"}


def test_what_was_never_exported_comes_back_empty_only_where_that_is_accepted(loss):
    loss.goes()
    failed = loss.recovered()
    assert (failed.state, failed.error_code) == ("Failed", "no-export")
    assert loss.cluster.phase == "Failed"
    assert "marina host lost east --empty" in failed.error_hint
    again = loss.recovered(empty=True)
    assert again.state == "Succeeded", again.message
    assert (loss.cluster.phase, condition(loss)["reason"]) == ("Ready", "Empty")
    assert loss.inside(NAMESPACE, "shop") is None
    assert loss.said().operations == (), "it is back"


def test_what_is_not_back_is_neither_made_empty_nor_removed_where_it_was(loss):
    """Its own host has the only copy."""
    loss.goes()
    failed = loss.recovered()
    assert failed.error_code == "no-export"
    actor = Actor(user=loss.shop.world.olivia)
    with pytest.raises(Conflict, match="was lost with its host east, and is not made again yet"):
        virtual_cluster_configure(virtual_cluster=loss.cluster, actor=actor, now=timezone.now())
    loss.comes_back()
    assert loss.quarantined().state == "Succeeded"
    kept = loss.placement("retained")
    assert placements_sweep(now=kept.retained_until + timedelta(days=1)) == 0
    staff = Actor(user=loss.shop.world.staff)
    host_found(host=HostCluster.objects.get(name="east"), actor=staff, now=timezone.now())
    again = operation_finish(Operation.objects.filter(kind=OperationKind.RECOVER).latest("created_at"))
    assert again.state == "Succeeded", again.message
    assert loss.roles() == {"east": "active"}
    assert loss.inside(SECRET, "door", "shop")


def test_what_was_asleep_sleeps_again(loss):
    sleep(loss)
    before = loss.cluster
    loss.goes()
    operation = loss.recovered()
    assert operation.state == "Succeeded", operation.message
    after = loss.cluster
    assert (after.phase, after.sleeping) == ("Asleep", True)
    assert (after.asleep_by, after.asleep_why) == (before.asleep_by, before.asleep_why)
    assert [each["spec"]["replicas"] for each in objects_on(loss.fake_west, STATEFUL_SET)] == [0]


def test_it_waits_with_a_sentence_where_no_other_host_can_take_it(loss):
    loss.export()
    HostCluster.objects.filter(pk=loss.west.pk).update(cordoned=True)
    loss.goes()
    (operation,) = loss.said().operations
    runner_here().run(operation.pk)
    operation.refresh_from_db()
    assert (operation.finished, loss.cluster.phase) == (False, "Recovering")
    assert operation.message.startswith("No other host cluster can take it. west: It is cordoned")
    assert restoring(Export.objects.get()) == operation, "its export is not taken away meanwhile"
    HostCluster.objects.filter(pk=loss.west.pk).update(cordoned=False)
    Operation.objects.update(run_after=None)
    assert operation_finish(operation).state == "Succeeded"


def test_one_that_still_waits_goes_on_where_it_was_once_that_is_found(loss):
    loss.export()
    loss.write("later")
    HostCluster.objects.filter(pk=loss.west.pk).update(cordoned=True)
    loss.goes()
    (operation,) = loss.said().operations
    runner_here().run(operation.pk)
    loss.comes_back()
    assert loss.quarantined().state == "Succeeded"
    host_found(host=HostCluster.objects.get(name="east"), actor=Actor(user=loss.shop.world.staff), now=timezone.now())
    Operation.objects.update(run_after=None)
    assert operation_finish(operation).state == "Succeeded", operation.message
    assert loss.roles() == {"east": "active"}
    assert loss.inside(CONFIG_MAP, "later", "shop"), "nothing is lost"
    assert condition(loss)["reason"] == "Kept"
    assert HostCluster.objects.get(name="east").cordoned, "until staff says otherwise"


def test_access_past_the_gateway_ends_also_where_it_goes_on_where_it_was(loss):
    """Whoever lost a role while the host was away would have it again."""
    asked = kubeconfig_issue(
        virtual_cluster=loss.cluster,
        public_key=PUBLIC_KEY,
        actor=Actor(user=loss.shop.world.olivia),
        now=timezone.now(),
        expires_in=3600,
    )
    assert operation_finish(asked).state == "Succeeded"
    with Clients().virtual(loss.placement(), lambda: None) as virtual:
        assert virtual.list(SERVICE_ACCOUNT, ACCESS_NAMESPACE, label_selector="app.kubernetes.io/managed-by=marina")
    HostCluster.objects.filter(pk=loss.west.pk).update(cordoned=True)
    loss.goes()
    loss.said()
    loss.comes_back()
    assert loss.quarantined().state == "Succeeded"
    staff = Actor(user=loss.shop.world.staff)
    host_found(host=HostCluster.objects.get(name="east"), actor=staff, now=timezone.now())
    assert operation_finish(Operation.objects.get(kind=OperationKind.RECOVER)).state == "Succeeded"
    assert KubeconfigGrant.objects.get().revoked_at is not None
    assert any("Your direct kubeconfig leads to where it was" in each for each in told("cluster-recovered"))
    with Clients().virtual(loss.placement(), lambda: None) as virtual:
        assert not virtual.list(SERVICE_ACCOUNT, ACCESS_NAMESPACE, label_selector="app.kubernetes.io/managed-by=marina")


def test_the_host_to_which_it_went_is_lost_too(loss, certificates):
    loss.export()
    loss.goes()
    (operation,) = loss.said().operations
    runner_here().run(operation.pk)
    operation.refresh_from_db()
    assert loss.roles() == {"east": "lost", "west": "active"}
    loss.east, loss.shop.fake, fake = loss.west, loss.fake_west, loss.shop.fake
    loss.goes()
    (again,) = loss.said().operations
    assert again.pk != operation.pk
    assert operation_finish(operation).state == "Aborted"
    assert loss.roles() == {"east": "lost", "west": "lost"}
    runner_here().run(again.pk)
    again.refresh_from_db()
    assert "No other host cluster can take it" in again.message
    fake.come_back()


def test_one_that_is_being_deleted_is_deleted_without_the_host(loss):
    loss.goes()
    actor = Actor(user=loss.shop.world.olivia)
    deletion = virtual_cluster_delete(virtual_cluster=loss.cluster, actor=actor, now=timezone.now()).operation
    runner_here().run(deletion.pk)
    deletion.refresh_from_db()
    assert deletion.waiting_host == loss.east
    assert loss.said().operations == ()
    assert operation_finish(deletion).state == "Succeeded"
    assert (loss.cluster.phase, loss.roles()) == ("Deleted", {"east": "lost"})
    loss.comes_back()
    assert loss.quarantined().state == "Succeeded"
    assert loss.roles() == {"east": "leaving"}
    assert operation_finish(Operation.objects.get(kind=OperationKind.REMOVE_PLACEMENT)).state == "Succeeded"
    assert not Placement.objects.exists()


def test_what_waits_for_a_lost_host_for_nothing_waits_no_longer(loss):
    """A worker that saw its silence just before it was given up has its operation wait for it."""
    loss.goes()
    (operation,) = loss.said().operations
    runner_here().run(loss.quarantine().pk)
    Operation.objects.filter(pk=operation.pk).update(waiting_host=loss.east)
    assert lost_waits_end() == 1
    operation.refresh_from_db()
    assert operation.waiting_host is None
    assert loss.quarantine().waiting_host == loss.east, "that is what it waits for"


def test_a_host_is_found_only_where_it_was_lost_and_answers(loss):
    actor = Actor(user=loss.shop.world.staff)
    with pytest.raises(Conflict, match="does not count as lost"):
        host_found(host=loss.east, actor=actor, now=timezone.now())
    loss.export()
    loss.goes()
    loss.said()
    with pytest.raises(Conflict, match="does not answer yet"):
        host_found(host=loss.east, actor=actor, now=timezone.now())
    loss.comes_back()
    assert host_found(host=loss.east, actor=actor, now=timezone.now()).lost_at is None
    assert AuditEvent.objects.filter(action="host.found").exists()


@pytest.mark.parametrize("step", ["copy-objects", "switch-placement"])
def test_the_source_of_a_move_is_lost_before_the_switch(loss, step):
    """What is where it would have gone is removed, then it is made again from the export with which the move began."""
    moving = move(loss)
    worked_until(moving, step)
    loss.goes()
    (operation,) = loss.said().operations
    ended = operation_finish(moving)
    assert (ended.state, ended.message) == ("Aborted", "Superseded by recover."), ended.message
    assert loss.roles() == {"east": "lost", "west": "leaving"}
    runner_here().run(operation.pk)
    operation.refresh_from_db()
    assert "No other host cluster can take it" in operation.message, "its namespace has the same name there"
    assert operation_finish(Operation.objects.get(kind=OperationKind.REMOVE_PLACEMENT)).state == "Succeeded"
    Operation.objects.update(run_after=None)
    assert operation_finish(operation).state == "Succeeded", operation.message
    assert (loss.cluster.phase, loss.cluster.frozen_at) == ("Ready", None)
    assert loss.inside(SECRET, "door", "shop")
    assert loss.roles() == {"east": "lost", "west": "active"}


def test_the_target_of_a_move_is_lost_before_the_switch(loss, monkeypatch):
    monkeypatch.setattr("provisioning.steps.moving_undo.TARGET_SECONDS", 0.0)
    moving = move(loss)
    worked_until(moving, "switch-placement")
    first = loss.east
    loss.east, loss.shop.fake, fake = loss.west, loss.fake_west, loss.shop.fake
    loss.goes()
    assert loss.said().operations == ()
    ended = operation_finish(moving)
    assert (ended.state, ended.message) == ("Aborted", "west, to which it was moved, is lost.")
    assert loss.roles() == {"east": "active", "west": "leaving"}
    assert (loss.cluster.phase, loss.cluster.frozen_at) == ("Ready", None)
    loss.write("later")
    loss.comes_back()
    assert operation_finish(Operation.objects.get(kind=OperationKind.REMOVE_PLACEMENT)).state == "Succeeded"
    assert loss.roles() == {first.name: "active"}
    assert fake


def test_where_it_went_is_lost_after_the_switch_so_it_goes_on_where_it_came_from(loss):
    """That is newer than the export with which the move began."""
    moved = operation_finish(move(loss))
    assert moved.state == "Succeeded", moved.message
    since = loss.placement("retained").role_since
    loss.write("after the move".replace(" ", "-"))
    loss.east, loss.shop.fake, fake = loss.west, loss.fake_west, loss.shop.fake
    loss.goes()
    operation = loss.recovered()
    assert operation.state == "Succeeded", operation.message
    assert loss.roles() == {"east": "active", "west": "lost"}
    assert loss.inside(SECRET, "door", "shop")
    loss.write("later")
    assert condition(loss)["reason"] == "Kept"
    assert f"as it was there on {since:%Y-%m-%d %H:%M} UTC" in condition(loss)["message"]
    loss.comes_back()
    assert loss.quarantined().state == "Succeeded"
    assert loss.roles() == {"east": "active", "west": "retained"}
    assert fake


def test_what_it_came_from_and_is_older_than_one_minor_is_no_place_to_go_on(loss, certificates):
    """The versions that it has by now could not take over what that stored; its export they can."""
    assert operation_finish(move(loss)).state == "Succeeded"
    Placement.objects.filter(role="retained").update(kubernetes_version="1.34.9")
    loss.east, loss.shop.fake, fake = loss.west, loss.fake_west, loss.shop.fake
    loss.goes()
    with FakeHost(certificates) as third:
        host_at(third.connection, "north", api_groups=api_groups(third), exposure=Exposure.LOCAL)
        operation = loss.recovered()
        assert operation.state == "Succeeded", operation.message
        assert loss.roles() == {"east": "retained", "north": "active", "west": "lost"}
        assert loss.inside(SECRET, "door", "shop")
        assert condition(loss)["reason"] == "FromExport"
    loss.comes_back()
    assert fake


def test_a_host_that_is_lost_for_good_is_forgotten_once_all_of_it_is_back(loss):
    actor = Actor(user=loss.shop.world.staff)
    loss.goes()
    failed = loss.recovered()
    assert failed.state == "Failed", "it was never exported"
    with pytest.raises(Conflict, match="1 of the clusters that were lost with east are not made again yet"):
        host_disconnect(host=HostCluster.objects.get(name="east"), actor=actor)
    assert loss.recovered(empty=True).state == "Succeeded"
    runner_here().run(loss.quarantine().pk)
    host_disconnect(host=HostCluster.objects.get(name="east"), actor=actor)
    assert loss.roles() == {"west": "active"}
    assert loss.quarantined().state == "Succeeded", "there is nothing left to wait for"
    loss.shop.fake.come_back()


def test_a_rebuilt_host_without_it_is_free_of_it(loss):
    loss.export()
    loss.goes()
    loss.recovered()
    loss.comes_back()
    namespace = loss.placement("lost").namespace
    with connection_open(loss.shop.fake.connection, target="host of the test") as api:
        KubeClient(api).delete(NAMESPACE, namespace)
    assert loss.quarantined().state == "Succeeded"
    assert loss.roles() == {"east": "leaving", "west": "active"}
