"""However a move ends, nothing of the source stays frozen or held, and nothing of it runs twice."""

from dataclasses import replace

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.errors import Conflict
from clusters.models import Export, Operation, OperationKind, PlacementRole
from clusters.moving import ACCEPT, DIFFERENCES
from clusters.preflight import CHOICES
from clusters.services.operations import operation_abort, operation_retry, operation_start
from dev.waiting import wait_until
from provisioning.drivers.errors import ForbiddenError
from provisioning.drivers.kinds import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    SECRET,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_WEBHOOKS,
)
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Wait
from provisioning.flows import FLOWS
from provisioning.flows.migrate import MIGRATE
from provisioning.moving.freezing import NAME
from provisioning.moving.holding import HELD, is_held
from provisioning.steps.names import SYNCED_BY
from provisioning.steps.release import paused, workload_of
from tests.accounts.conftest import MARINA
from tests.chosen import CHOSEN
from tests.e2e.in_process import operation_finish
from tests.e2e.moving_here import with_step
from tests.fakes.answers import Refusal

HOOKS = {"apiVersion": VALIDATING_WEBHOOKS.api_version, "kind": VALIDATING_WEBHOOKS.kind}


def deployed(kube, name="web", **more):
    labels = {"app": name}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "it", "image": "it"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pods}
    meta = {"name": name, "namespace": "shop"}
    return kube.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec, **more})


def otherwise(flow, key, run):
    """The same flow, one step of which does something else, given what it does."""

    def changed(steps):
        return tuple(
            replace(each, run=lambda c, was=each.run: run(c, was)) if each.key == key else each for each in steps
        )

    return replace(flow, steps=changed(flow.steps), undo=changed(flow.undo))


def works_as_before(wanderer):
    cluster = wanderer.cluster
    assert (cluster.phase, cluster.frozen_at) == ("Ready", None)
    with wanderer.inside() as kube:
        assert kube.get(VALIDATING_ADMISSION_POLICY, NAME) is None
        web = kube.get(DEPLOYMENT, "web", "shop")
        assert (web["spec"]["replicas"], is_held(web)) == (1, False)


def test_an_abort_while_its_pods_end_lets_its_workloads_go_again(wanderer):
    with wanderer.inside() as kube:
        deployed(kube)

    def stop(context, was):
        was(context)
        operation_abort(operation=context.operation, actor=MARINA, now=timezone.now())
        return Wait(0.0, "Waiting for pods to end.")

    operation = wanderer.move(flow=otherwise(MIGRATE, "stop-workloads-first", stop))
    assert operation.state == "Aborted", operation.message
    works_as_before(wanderer)


def aborting(after):
    def abort(context):
        operation_abort(operation=context.operation, actor=MARINA, now=timezone.now())

    return with_step(MIGRATE, after, "abort", abort)


@pytest.mark.parametrize("trouble", ["pods that do not end", "no right to stop it", "something unexpected"])
def test_what_does_not_stop_at_the_target_keeps_the_source_frozen_no_longer_than_its_time(
    wanderer, monkeypatch, settings, trouble
):
    settings.ATTEMPT_LIMIT = 2
    monkeypatch.setattr("provisioning.steps.moving_undo.TARGET_SECONDS", 0.5)
    with wanderer.inside() as kube:
        deployed(kube)

    def refuse(context):
        if trouble == "pods that do not end":
            return Wait(0.05, "Waiting for pods to end.")
        if trouble == "no right to stop it":
            raise ForbiddenError("You may not.")
        raise ValueError("nobody thought of it")

    monkeypatch.setattr("provisioning.steps.moving_undo.put_to_rest", refuse)
    flow = aborting("start-workloads")
    undo = tuple(replace(each, deadline=1.5) if each.key == "stop-target" else each for each in flow.undo)
    operation = wanderer.move(flow=replace(flow, undo=undo))
    assert operation.state == "Aborted", operation.message
    works_as_before(wanderer)


def test_a_worker_that_ends_just_after_the_switch_leaves_it_switched(wanderer):
    with wanderer.inside() as kube:
        deployed(kube)
    ended: list[bool] = []

    def switch(context, was):
        result = was(context)
        if not ended:
            ended.append(True)
            raise TemporaryError("The worker ended.", code="worker-ended")
        return result

    operation = wanderer.move(flow=otherwise(MIGRATE, "switch-placement", switch))
    assert operation.state == "Succeeded", operation.message
    assert wanderer.placements() == {"active": "beyond", "retained": "east"}


def test_what_a_failed_way_back_left_runs_nothing_when_it_is_woken_once_more(wanderer):
    with wanderer.inside() as kube:
        deployed(kube)
    assert wanderer.move().state == "Succeeded"
    ask = wanderer.ask(back=True)
    flow = aborting("start-workloads")
    assert operation_finish(ask, flows={**FLOWS, ask.kind: flow}).state == "Aborted"
    works_as_before(wanderer)
    seen = []

    def look(context):
        with context.on_target().virtual() as target:
            web = target.get(DEPLOYMENT, "web", "shop")
            seen.append((web["spec"]["replicas"], HELD in web["metadata"].get("annotations", {})))

    if PlacementRole.RETAINED in wanderer.placements():
        operation = wanderer.move(back=True, flow=with_step(MIGRATE, "target-wait-for-api", "look", look))
        assert operation.state == "Succeeded", operation.message
        assert seen == [(0, True)]


def test_one_that_was_put_back_and_is_tried_again_carries_everything(wanderer):
    """Also where somebody accepts that the copy differs, which would else hide that nothing was copied."""
    failed: list[bool] = []

    def fail(context):
        if not failed:
            failed.append(True)
            raise PermanentError("Not today.", code="no")

    asked = wanderer.ask()
    asked.params = {**asked.params, CHOICES: {**CHOSEN, DIFFERENCES: ACCEPT}}
    asked.save(update_fields=["params"])
    flows = {**FLOWS, asked.kind: with_step(MIGRATE, "order-workloads", "fail", fail)}
    assert operation_finish(asked, flows=flows).state == "Failed"
    wanderer.tidy()
    with wanderer.inside() as kube:
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later", "namespace": "shop"}})
    operation_retry(operation=asked, actor=MARINA, now=timezone.now())
    asked.refresh_from_db()
    assert operation_finish(asked, flows=flows).state == "Succeeded", asked.message
    assert wanderer.placements()["active"] == "beyond"
    with wanderer.inside() as kube:
        assert kube.get(SECRET, "door", "shop")
        assert kube.get(CONFIG_MAP, "later", "shop")
    assert Export.objects.filter(cause="migrate").count() == 2


def test_nobody_aborts_it_once_people_were_let_to_where_it_goes(wanderer):
    """Its CronJobs would stay suspended for ever."""
    told = []

    def abort(context):
        with pytest.raises(Conflict) as refused:
            operation_abort(operation=context.operation, actor=MARINA, now=timezone.now())
        told.append(str(refused.value))

    operation = wanderer.move(flow=with_step(MIGRATE, "switch-placement", "abort", abort))
    assert (operation.state, len(told)) == ("Succeeded", 1)


def abort_asked(context):
    Operation.objects.filter(pk=context.operation.pk).update(abort_requested=True, message="Aborted by tests.")


def test_an_abort_in_the_last_moment_before_the_switch_puts_it_back(wanderer):
    with wanderer.inside() as kube:
        deployed(kube)

    def switch(context, was):
        abort_asked(context)
        return was(context)

    operation = wanderer.move(flow=otherwise(MIGRATE, "switch-placement", switch))
    assert (operation.state, operation.message) == ("Aborted", "Aborted by tests.")
    assert wanderer.placements() == {"active": "east", "leaving": "beyond"}
    works_as_before(wanderer)


def scheduled(kube):
    pods = {"spec": {"containers": [{"name": "it", "image": "it"}]}}
    spec = {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": pods}}}
    meta = {"name": "nightly", "namespace": "shop"}
    kube.apply({"apiVersion": CRON_JOB.api_version, "kind": CRON_JOB.kind, "metadata": meta, "spec": spec})


def goes_by_its_schedule(wanderer):
    with wanderer.inside() as kube:
        found = kube.get(CRON_JOB, "nightly", "shop")
    return not is_held(found) and not found["spec"].get("suspend")


def left_runs(wanderer):
    """Whether what it left on the host that it came from runs on."""
    left = wanderer.shop.placement_at("retained")
    workload = workload_of(wanderer.host(wanderer.shop.fake), left)
    assert workload
    return not paused(workload)


def test_an_abort_that_meets_a_worker_that_ended_in_the_switch_keeps_the_move_from_nothing_that_is_left_to_do(wanderer):
    with wanderer.inside() as kube:
        scheduled(kube)
    ended: list[bool] = []

    def switch(context, was):
        result = was(context)
        if not ended:
            ended.append(True)
            abort_asked(context)
            raise TemporaryError("The worker ended.", code="worker-ended")
        return result

    operation = wanderer.move(flow=otherwise(MIGRATE, "switch-placement", switch))
    assert (operation.state, operation.undoing) == ("Succeeded", None), operation.message
    assert wanderer.placements() == {"active": "beyond", "retained": "east"}
    assert wanderer.cluster.phase == "Ready"
    assert goes_by_its_schedule(wanderer)
    assert wanderer.shop.placement_at("active").endpoint
    assert not left_runs(wanderer)


def noted(operation, key):
    return next(each["note"] for each in operation.steps if each["key"] == key)


def lone_pod(kube, name):
    spec = {"containers": [{"name": "it", "image": "it"}]}
    kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": spec})


def test_a_pod_that_is_refused_where_it_goes_is_told_and_keeps_nothing_else_from_its_end(wanderer):
    with wanderer.inside() as kube:
        for name in ("bad", "good"):
            lone_pod(kube, name)

    def refuse(request):
        if request.method == "POST" and request.body.get("metadata", {}).get("name") == "bad":
            raise Refusal(403, "Forbidden", "admission webhook denied it: no limits")

    def guard(context):
        placement = wanderer.shop.placement_at("active")
        wanderer.beyond.virtual(placement.namespace, f"{placement.release}-0").before.append(refuse)

    operation = wanderer.move(flow=with_step(MIGRATE, "switch-placement", "guard", guard))
    assert operation.state == "Succeeded", operation.message
    told = noted(operation, "recreate-pods")
    assert told.startswith("1 object cannot be started again. Pod shop/bad: "), told
    assert "no limits" in told
    with wanderer.inside() as kube:
        assert kube.get(POD, "good", "shop")
    assert not left_runs(wanderer)


def test_what_is_slow_to_end_where_it_was_keeps_the_move_from_its_end_no_longer_than_its_time(wanderer, monkeypatch):
    monkeypatch.setattr("provisioning.steps.moving_after.LEFT_SECONDS", 0.2)
    placement = wanderer.shop.placement
    meta = {"name": "slow", "namespace": placement.namespace, "labels": {SYNCED_BY: placement.release}}
    kube = wanderer.host(wanderer.shop.fake)
    kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "finalizers": ["shop/slow"]}, "spec": {}})
    operation = wanderer.move()
    assert operation.state == "Succeeded", operation.message
    assert noted(operation, "retire-source").startswith("It was told to sleep; nobody waits")
    assert not left_runs(wanderer)


def test_where_it_failed_after_the_switch_it_runs_once_and_the_next_change_of_settings_has_its_cron_jobs_go_on(
    wanderer,
):
    with wanderer.inside() as kube:
        scheduled(kube)

    def fail(context, was):
        raise PermanentError("Its API is broken.", code="broken")

    operation = wanderer.move(flow=otherwise(MIGRATE, "resume-cron-jobs", fail))
    assert operation.state == "Failed", operation.message
    assert wanderer.placements() == {"active": "beyond", "retained": "east"}
    assert operation_finish(Operation.objects.get(kind=OperationKind.QUARANTINE)).state == "Succeeded"
    assert not left_runs(wanderer)
    assert not goes_by_its_schedule(wanderer)
    assert operation_finish(configuring(wanderer)).state == "Succeeded"
    assert goes_by_its_schedule(wanderer)


def configuring(wanderer):
    with transaction.atomic():
        return operation_start(
            kind=OperationKind.CONFIGURE, subject=wanderer.cluster, actor=MARINA, now=timezone.now()
        ).operation


def guarded(wanderer):
    """A webhook that is asked before anything of a Deployment changes, also of the one that answers it."""
    with wanderer.inside() as kube:
        deployed(kube)
        deployed(kube, "zeus")
        meta = {"name": "zeus", "namespace": "shop"}
        service = {"selector": {"app": "zeus"}, "ports": [{"port": 443}]}
        kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service})
        rule = {"apiGroups": ["apps"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
        hook = {"name": "zeus.shop", "clientConfig": {"service": meta}, "rules": [rule], "failurePolicy": "Fail"}
        kube.apply({**HOOKS, "metadata": {"name": "zeus"}, "webhooks": [hook]})
    placement = wanderer.shop.placement
    inner = wanderer.shop.fake.virtual(placement.namespace, f"{placement.release}-0")

    def ask(request):
        hooks = inner.store.find(VALIDATING_WEBHOOKS, "zeus")
        asked = "/deployments/" in request.path and "objectSelector" not in hooks.value["webhooks"][0]
        if asked and inner.store.get(DEPLOYMENT, "zeus", "shop").value["spec"]["replicas"] == 0:
            raise Refusal(500, "InternalError", "failed calling webhook: connection refused")

    inner.before.append(ask)


def test_what_answers_a_webhook_is_stopped_and_started_again_although_it_is_asked_about_itself(wanderer):
    guarded(wanderer)
    operation = wanderer.move(flow=aborting("stop-workloads-last"))
    assert operation.state == "Aborted", operation.message
    works_as_before(wanderer)
    with wanderer.inside() as kube:
        hooks = kube.get(VALIDATING_WEBHOOKS, "zeus")
        assert not is_held(hooks)
        assert "objectSelector" not in hooks["webhooks"][0]
    wanderer.tidy()
    assert wanderer.move().state == "Succeeded"
    with wanderer.inside() as kube:
        assert not is_held(kube.get(VALIDATING_WEBHOOKS, "zeus"))


ENDING = {"name": "ending", "namespace": "shop", "finalizers": ["shop/outside", "shop/other"]}


def ends_slowly(kube):
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": ENDING})
    kube.delete(CONFIG_MAP, "ending", "shop")


@pytest.mark.parametrize("anew", [False, True])
def test_what_was_ending_when_it_was_copied_and_has_ended_since_is_gone_where_it_goes(wanderer, anew):
    def begins(context):
        with context.virtual() as source:
            ends_slowly(source)

    def ends(context):
        with context.on_target().virtual() as target:
            assert target.get(CONFIG_MAP, "ending", "shop")["metadata"]["deletionTimestamp"]
        with context.virtual() as source:
            source.patch_merge(CONFIG_MAP, "ending", "shop", {"metadata": {"finalizers": None}})
            assert source.get(CONFIG_MAP, "ending", "shop") is None
            if anew:
                source.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**ENDING, "finalizers": []}})

    flow = with_step(with_step(MIGRATE, "copy-changes", "ends", ends), "export-objects", "begins", begins)
    operation = wanderer.move(flow=flow)
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        found = kube.get(CONFIG_MAP, "ending", "shop")
        assert bool(found) is anew
        assert "deletionTimestamp" not in (found or {"metadata": {}})["metadata"]


@pytest.mark.parametrize("before", [False, True])
def test_what_is_ending_all_the_while_goes_on_ending_where_it_goes_for_whoever_sees_to_it(wanderer, before):
    """Where its end began before the move, and where one of those for whom it waits is done after it was copied."""

    def begins(context):
        with context.virtual() as source:
            ends_slowly(source)

    def goes_on(context):
        with context.virtual() as source:
            source.patch_merge(CONFIG_MAP, "ending", "shop", {"metadata": {"finalizers": ["shop/outside"]}})

    if before:
        with wanderer.inside() as kube:
            ends_slowly(kube)
            kube.patch_merge(CONFIG_MAP, "ending", "shop", {"metadata": {"finalizers": ["shop/outside"]}})
        flow = MIGRATE
    else:
        flow = with_step(with_step(MIGRATE, "copy-changes", "goes-on", goes_on), "export-objects", "begins", begins)
    operation = wanderer.move(flow=flow)
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        meta = kube.get(CONFIG_MAP, "ending", "shop")["metadata"]
        assert meta["deletionTimestamp"]
        assert meta["finalizers"] == ["shop/outside"]


def test_what_is_ending_with_its_namespace_goes_on_ending_and_what_kubernetes_ends_by_itself_ends(wanderer):
    with wanderer.inside() as kube:
        for name in ("going", "empty"):
            kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        meta = {**ENDING, "namespace": "going"}
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
        held = {"name": "held", "namespace": "empty", "finalizers": ["kubernetes.io/pvc-protection"]}
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": held})
        kube.delete(NAMESPACE, "going")
        kube.delete(NAMESPACE, "empty")
        wait_until(
            lambda: "deletionTimestamp" in kube.get(CONFIG_MAP, "ending", "going")["metadata"],
            seconds=5,
            what="it did not begin to end",
        )
    operation = wanderer.move()
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        assert kube.get(NAMESPACE, "going")["metadata"]["deletionTimestamp"]
        assert kube.get(CONFIG_MAP, "ending", "going")["metadata"]["deletionTimestamp"]
        assert kube.get(NAMESPACE, "empty") is None


def test_where_even_the_putting_back_failed_the_next_change_of_settings_lets_it_go(wanderer):
    with wanderer.inside() as kube:
        deployed(kube)

    def fail(context, was):
        raise PermanentError("Its API is broken.", code="broken")

    operation = wanderer.move(flow=otherwise(aborting("stop-workloads-first"), "unfreeze-source", fail))
    assert operation.state == "Failed"
    assert wanderer.cluster.frozen_at
    change = configuring(wanderer)
    assert operation_finish(change).state == "Succeeded", change.message
    works_as_before(wanderer)
    assert wanderer.placements() == {"active": "east", "leaving": "beyond"}
