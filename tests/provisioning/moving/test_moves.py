"""What becomes of a cluster that moves: of one that is asleep, that is aborted, deleted; and of what it left."""

from datetime import timedelta

from django.utils import timezone

from accounts.models import Notification
from accounts.services.audit import Actor
from clusters.models import Export, KubeconfigGrant, OperationKind, Placement, PlacementRole, VirtualCluster
from clusters.models import Operation as Row
from clusters.services.operations import operation_abort
from clusters.services.placements import placements_sweep
from clusters.services.sleeping import virtual_cluster_sleep
from clusters.services.virtual_clusters import virtual_cluster_delete
from provisioning.drivers.kinds import (
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    JOB,
    NAMESPACE,
    SECRET,
    SERVICE_ACCOUNT,
    VALIDATING_ADMISSION_POLICY,
)
from provisioning.flows.migrate import MIGRATE
from provisioning.moving.freezing import NAME
from provisioning.steps.kubeconfig import account_manifests
from provisioning.steps.moving_frozen import freeze_source
from provisioning.steps.names import ACCESS_NAMESPACE, MANAGED_BY
from provisioning.steps.names import MARINA as MANAGED_BY_MARINA
from tests.accounts.conftest import MARINA
from tests.e2e.in_process import operation_finish
from tests.e2e.moving_here import with_step


def test_it_moves_with_what_is_in_it_and_what_it_left_is_kept_for_a_while(wanderer):
    operation = wanderer.move()
    assert operation.state == "Succeeded", operation.message
    assert wanderer.placements() == {"active": "beyond", "retained": "east"}
    cluster = wanderer.cluster
    assert (cluster.phase, cluster.frozen_at, cluster.frozen_why) == ("Ready", None, "")
    with wanderer.inside() as kube:
        assert kube.get(SECRET, "door", "shop")["data"]
        assert kube.get(VALIDATING_ADMISSION_POLICY, NAME) is None
    retained = Placement.objects.get(role=PlacementRole.RETAINED)
    assert retained.retained_until
    assert timedelta(days=6) < retained.retained_until - timezone.now() < timedelta(days=8)
    active = Placement.objects.get(role=PlacementRole.ACTIVE)
    assert active.first_revision > active.foreign_revision > 0
    assert operation.params["measured"]["freeze_seconds"] < 10
    assert Export.objects.get(operation=operation).cause == "migrate"
    assert Notification.objects.filter(kind="cluster-moved").exists()


def test_a_host_that_was_wished_for_is_the_one_it_went_to(wanderer):
    VirtualCluster.objects.update(wanted_host=wanderer.shop.placement.host)
    assert wanderer.move().state == "Succeeded"
    assert wanderer.cluster.wanted_host == wanderer.there


def test_it_goes_back_with_what_was_written_and_deleted_since(wanderer):
    assert wanderer.move().state == "Succeeded"
    with wanderer.inside() as kube:
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later", "namespace": "shop"}})
        assert kube.delete(SECRET, "door", "shop")
    operation = wanderer.move(back=True)
    assert operation.state == "Succeeded", operation.message
    assert wanderer.placements() == {"active": "east", "retained": "beyond"}
    with wanderer.inside() as kube:
        assert kube.get(CONFIG_MAP, "later", "shop")
        assert kube.get(SECRET, "door", "shop") is None
        assert kube.get(VALIDATING_ADMISSION_POLICY, NAME) is None


def test_nobody_loses_rights_before_each_gateway_tells_why(wanderer, settings):
    binding = "marina:told"
    subject = {"kind": "ServiceAccount", "name": "told", "namespace": ACCESS_NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    seen = []

    def look(context):
        with context.virtual() as kube:
            meta = {"name": binding, "labels": {MANAGED_BY: MANAGED_BY_MARINA}}
            made = {"apiVersion": role["apiGroup"] + "/v1", "kind": "ClusterRoleBinding", "metadata": meta}
            kube.apply({**made, "roleRef": role, "subjects": [subject]})
            for seconds in (3600, 0):
                settings.MOVE_GATEWAYS_KNOW_SECONDS = seconds
                waits = freeze_source.run(context)
                found = kube.get(CLUSTER_ROLE_BINDING, binding)
                seen.append((waits is None, bool(found.get("subjects"))))

    flow = with_step(MIGRATE, "order-workloads", "look", look)
    assert wanderer.move(flow=flow).state == "Succeeded"
    assert seen == [(False, True), (True, False)]


def _job(kube, name, *, ended):
    meta = {"name": name, "namespace": "shop"}
    kube.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": {"spec": {}}}})
    if ended:
        status = {"conditions": [{"type": "Complete", "status": "True"}]}
        kube.patch_merge(JOB, name, "shop", {"status": status}, subresource="status")


def test_a_job_that_has_ended_keeps_no_move_back_and_is_not_run_again(wanderer):
    with wanderer.inside() as kube:
        _job(kube, "old", ended=True)
        _job(kube, "late", ended=False)
    operation = wanderer.move()
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        assert kube.get(JOB, "old", "shop") is None
        assert not kube.get(JOB, "late", "shop")["spec"].get("suspend")
        _job(kube, "late", ended=True)
    operation = wanderer.move(back=True)
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        assert kube.get(JOB, "late", "shop") is None, "it was held there, and would run once more"


def test_a_job_that_ends_while_it_is_moved_is_not_run_again(wanderer):
    def ends(context):
        with context.virtual() as kube:
            _job(kube, "load", ended=True)

    with wanderer.inside() as kube:
        _job(kube, "load", ended=False)
    operation = wanderer.move(flow=with_step(MIGRATE, "copy-objects", "job-ends", ends))
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        assert kube.get(JOB, "load", "shop") is None


def test_no_access_past_the_gateway_that_was_given_before_comes_back_with_it(wanderer):
    """Who had it may have lost the role while the cluster was elsewhere."""
    labels = {"app.kubernetes.io/managed-by": "marina"}
    with wanderer.inside() as kube:
        for each in account_manifests("user-x-admin", "admin", labels, handle="x"):
            kube.apply(each)
    KubeconfigGrant.objects.create(
        virtual_cluster=wanderer.cluster,
        user=wanderer.shop.world.olivia,
        level="admin",
        operation=Row.objects.first(),
        expires_at=timezone.now() + timedelta(hours=1),
    )
    assert wanderer.move().state == "Succeeded"
    assert not KubeconfigGrant.objects.filter(revoked_at=None).exists()
    assert wanderer.move(back=True).state == "Succeeded"
    with wanderer.inside() as kube:
        assert kube.get(CLUSTER_ROLE_BINDING, "marina:user-x-admin") is None
        assert kube.get(SERVICE_ACCOUNT, "user-x-admin", ACCESS_NAMESPACE) is None


def test_access_past_the_gateway_that_was_given_since_it_is_where_it_goes_goes_on(wanderer):
    def given(context):
        KubeconfigGrant.objects.create(
            virtual_cluster=wanderer.cluster,
            user=wanderer.shop.world.olivia,
            level="admin",
            expires_at=timezone.now() + timedelta(hours=1),
        )

    flow = with_step(with_step(MIGRATE, "copy-objects", "before", given), "switch-placement", "since", given)
    assert wanderer.move(flow=flow).state == "Succeeded"
    (alive,) = KubeconfigGrant.objects.filter(revoked_at=None)
    since = Placement.objects.get(role=PlacementRole.ACTIVE).role_since
    assert since
    assert alive.created_at > since


def test_one_that_is_asleep_moves_and_sleeps_on(wanderer):
    actor = Actor(user=wanderer.shop.world.olivia)
    asleep = virtual_cluster_sleep(virtual_cluster=wanderer.cluster, actor=actor, now=timezone.now(), why="weekend")
    assert operation_finish(asleep.operation).state == "Succeeded"
    operation = wanderer.move()
    assert operation.state == "Succeeded", operation.message
    cluster = wanderer.cluster
    assert (cluster.phase, cluster.sleeping, cluster.asleep_why) == ("Asleep", True, "weekend")
    assert wanderer.placements()["active"] == "beyond"


def test_one_that_was_asleep_and_is_put_back_sleeps_again_where_it_was(wanderer):
    actor = Actor(user=wanderer.shop.world.olivia)
    asleep = virtual_cluster_sleep(virtual_cluster=wanderer.cluster, actor=actor, now=timezone.now())
    operation_finish(asleep.operation)

    def abort(context):
        operation_abort(operation=context.operation, actor=MARINA, now=timezone.now())

    assert wanderer.move(flow=with_step(MIGRATE, "copy-objects", "abort", abort)).state == "Aborted"
    assert (wanderer.cluster.phase, wanderer.cluster.sleeping) == ("Asleep", True)


def test_what_it_left_goes_when_its_time_has_come_and_not_before(wanderer):
    wanderer.move()
    assert placements_sweep(now=timezone.now()) == 0
    assert placements_sweep(now=timezone.now() + timedelta(days=8)) == 1
    assert placements_sweep(now=timezone.now() + timedelta(days=8)) == 0, "it is being removed already"
    assert wanderer.placements() == {"active": "beyond", "leaving": "east"}
    wanderer.tidy()
    assert wanderer.placements() == {"active": "beyond"}


def test_what_could_not_be_removed_is_tried_again_an_hour_later(wanderer):
    wanderer.move()
    placements_sweep(now=timezone.now() + timedelta(days=8))
    failed = timezone.now()
    Row.objects.filter(kind=OperationKind.REMOVE_PLACEMENT).update(state="Failed", finished_at=failed)
    assert placements_sweep(now=failed + timedelta(minutes=59)) == 0
    assert placements_sweep(now=failed + timedelta(minutes=61)) == 1
    wanderer.tidy()
    assert wanderer.placements() == {"active": "beyond"}


def test_a_deletion_takes_what_it_left_along(wanderer):
    wanderer.move()
    namespace = wanderer.shop.placement_at("active").namespace
    deletion = virtual_cluster_delete(
        virtual_cluster=wanderer.cluster, actor=Actor(user=wanderer.shop.world.olivia), now=timezone.now()
    )
    assert operation_finish(deletion.operation).state == "Succeeded"
    assert wanderer.placements() == {"leaving": "east"}
    wanderer.tidy()
    assert wanderer.placements() == {}
    for fake in (wanderer.shop.fake, wanderer.beyond):
        assert wanderer.host(fake).get(NAMESPACE, namespace) is None


def test_a_target_that_does_not_answer_any_more_keeps_the_source_waiting_no_longer_than_its_time(wanderer, monkeypatch):
    def goes_down(context):
        wanderer.beyond.go_down()

    monkeypatch.setattr("provisioning.steps.moving_undo.TARGET_SECONDS", 0.0)
    flow = with_step(MIGRATE, "stop-workloads-first", "goes-down", goes_down)
    operation = wanderer.move(flow=flow)
    assert operation.state == "Failed", operation.message
    assert (wanderer.cluster.phase, wanderer.cluster.frozen_at) == ("Ready", None)
    assert wanderer.placements() == {"active": "east", "leaving": "beyond"}
    with wanderer.inside() as kube:
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "works", "namespace": "shop"}})
    wanderer.beyond.come_back()
    wanderer.tidy()
    assert wanderer.placements() == {"active": "east"}
