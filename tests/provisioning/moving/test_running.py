"""Of what is stopped the pods are waited for that are its own, and what is refused keeps nothing else stopped."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from clusters.models import Operation
from clusters.moving import DECIDED
from provisioning.drivers.kinds import DEPLOYMENT, POD, REPLICA_SET, STATEFUL_SET, Json
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.engine.flow import Wait
from provisioning.flows.migrate import MIGRATE
from provisioning.moving.holding import is_held
from provisioning.moving.pods import LONGEST_GRACE
from provisioning.moving.refusals import refused_together
from provisioning.moving.running import all_held, all_let_go, stopped
from provisioning.moving.workloads import Order
from provisioning.steps.moving_frozen import stop_workloads_first, stop_workloads_last, stopping_seconds
from tests.fakes.answers import Refusal
from tests.provisioning.moving.test_put_back import deployed

EVERY = tuple(Order)


def under(owner):
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }


def made(kube, kind, name, *owners, api_version="v1", labels=None, **more):
    meta = {"name": name, "namespace": "shop", "labels": labels or {}, "ownerReferences": [under(o) for o in owners]}
    return kube.create({"apiVersion": api_version, "kind": kind, "metadata": meta, **more})


def replica_set(kube, name, owner, **more):
    selector: Json = {"selector": {"matchLabels": {}}, "template": {"metadata": {}, "spec": {}}}
    return made(kube, "ReplicaSet", name, owner, api_version="apps/v1", spec={"replicas": 1, **selector}, **more)


def pod(kube, name, *owners, **more):
    return made(kube, "Pod", name, *owners, spec={"containers": [{"name": "it", "image": "it"}]}, **more)


def inner(wanderer):
    placement = wanderer.shop.placement
    return wanderer.shop.fake.virtual(placement.namespace, f"{placement.release}-0")


def test_only_pods_that_a_workload_made_are_waited_for_not_others_with_its_labels(wanderer):
    labels = {"app": "web", "component": "worker"}
    with wanderer.inside() as kube:
        web = deployed(kube)
        mine = replica_set(kube, "web-1", web)
        pod(kube, "web-1-a", mine, labels=labels)
        pod(kube, "debug", labels=labels)
        other = made(kube, "ConfigMap", "other")
        pod(kube, "of-an-operator", other, labels=labels, api_version="v1")
        decided = {"Deployment.apps shop/web": {"order": "stop-first"}, "Pod shop/of-an-operator": {"order": "later"}}
        assert stopped(kube, ("stop-first",), decided) == ["shop/web-1-a"]
        kube.delete(POD, "web-1-a", "shop")
        assert stopped(kube, ("stop-first",), decided) == []


def test_a_pod_whose_old_replica_set_is_gone_already_is_waited_for(wanderer):
    with wanderer.inside() as kube:
        web = deployed(kube)
        old = replica_set(kube, "web-7c", web)
        pod(kube, "web-7c-a", old, labels={"app": "web", "pod-template-hash": "7c"})
        store = inner(wanderer).store
        left = store.get(POD, "web-7c-a", "shop")
        owners = left.meta["ownerReferences"]
        store.remove(store.get(REPLICA_SET, "web-7c", "shop"), dependents=False)
        left.meta["ownerReferences"] = owners  # the garbage collector is on its way
        assert stopped(kube, EVERY, {}) == ["shop/web-7c-a"]


def test_a_pod_of_an_operator_is_waited_for_until_it_has_ended(wanderer):
    with wanderer.inside() as kube:
        database = made(kube, "ConfigMap", "database")  # stands for an operator's object
        pod(kube, "database-1", database)
        kube.patch_merge(POD, "database-1", "shop", {"metadata": {"finalizers": ["shop/slow"]}})
        assert "shop/database-1" in stopped(kube, EVERY, {})
        assert stopped(kube, EVERY, {}) == ["shop/database-1"]
        kube.patch_merge(POD, "database-1", "shop", {"metadata": {"finalizers": None}})
        assert stopped(kube, EVERY, {}) == []


def test_a_stateful_set_that_gives_up_claims_keeps_them_from_the_patch_that_stops_it_to_the_one_that_starts_it(
    wanderer,
):
    policy = "persistentVolumeClaimRetentionPolicy"
    spec = {
        "replicas": 1,
        policy: {"whenDeleted": "Retain", "whenScaled": "Delete"},
        "selector": {"matchLabels": {"app": "db"}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "it", "image": "it"}]}},
    }
    seen, server = [], inner(wanderer)
    with wanderer.inside() as kube:
        made(kube, "StatefulSet", "db", api_version="apps/v1", spec=spec)

        def look(request):
            found = server.store.find(STATEFUL_SET, "db", "shop").value["spec"]
            seen.append((found["replicas"], found[policy]["whenScaled"]))

        server.after.append(look)
        all_held(kube)
        all_let_go(kube)
    assert set(seen) <= {(0, "Retain"), (1, "Delete")}
    assert seen[-1] == (1, "Delete")
    assert (0, "Retain") in seen


@pytest.mark.parametrize(
    ("status", "reason", "error"), [(403, "Forbidden", PermanentError), (500, "X", TemporaryError)]
)
def test_one_that_is_refused_keeps_no_other_stopped_and_is_named(wanderer, status, reason, error):
    with wanderer.inside() as kube:
        for name in ("a", "b", "c"):
            deployed(kube, name)
        all_held(kube)
        refusing = ["/deployments/a", "/deployments/b"]

        def refuse(request):
            if any(path in request.path for path in refusing):
                raise Refusal(status, reason, "admission webhook denied it")

        inner(wanderer).before.append(refuse)
        with pytest.raises(error, match=r"2 objects cannot .*Deployment.apps shop/a: .* Deployment.apps shop/b: "):
            all_let_go(kube)
        assert [is_held(kube.get(DEPLOYMENT, name, "shop")) for name in ("a", "b", "c")] == [True, True, False]
        refusing.clear()
        all_let_go(kube)
        assert not is_held(kube.get(DEPLOYMENT, "a", "shop"))


def test_refusals_are_tried_again_where_that_may_help_any_of_them():
    never, later = PermanentError("no", code="forbidden"), TemporaryError("wait", code="conflict")
    assert isinstance(refused_together([("a", never)]), PermanentError)
    assert isinstance(refused_together([("a", never), ("b", later)]), TemporaryError)


def test_a_workload_that_ends_slowly_is_waited_for_as_long_as_it_may_take():
    def seconds(*graces):
        return stopping_seconds(Operation(params={DECIDED: {str(each): {"grace": each} for each in graces}}))

    assert stopping_seconds(Operation(params={})) == 180
    assert [seconds(30), seconds(30, 300), seconds(9999)] == [180, 360, LONGEST_GRACE + 60]
    assert stop_workloads_first.deadline is stop_workloads_last.deadline is stopping_seconds


def test_a_move_waits_longer_than_three_minutes_for_pods_that_may_take_longer(wanderer):
    with wanderer.inside() as kube:
        deployed(kube)
        spec = {"template": {"spec": {"terminationGracePeriodSeconds": 300}}}
        kube.patch_merge(DEPLOYMENT, "web", "shop", {"spec": spec})
    late: list[bool] = []

    def stop(context):
        if not late:
            late.append(True)
            started = timezone.now() - timedelta(seconds=299)
            Operation.objects.filter(pk=context.operation.pk).update(step_started_at=started)
            context.operation.step_started_at = started
            return Wait(0.0, "Waiting for pods to end.")
        return stop_workloads_first.run(context)

    steps = tuple(replace(each, run=stop) if each is stop_workloads_first else each for each in MIGRATE.steps)
    operation = wanderer.move(flow=replace(MIGRATE, steps=steps))
    assert operation.state == "Succeeded", operation.message
