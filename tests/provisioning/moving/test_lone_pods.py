"""A pod that nobody makes again never runs at both ends, and is lost at neither."""

import json

import pytest

from clusters.moving import LEFT
from clusters.preflight import CHOICES
from provisioning.drivers.kinds import POD, SECRET
from provisioning.engine.errors import TemporaryError
from provisioning.engine.flow import Wait
from provisioning.flows import FLOWS
from provisioning.flows.migrate import MIGRATE
from provisioning.moving.lone_pods import NOTE, lone_pods, pods_stop
from provisioning.steps.moving_after import left
from tests.chosen import CHOSEN
from tests.e2e.in_process import operation_finish
from tests.e2e.moving_here import with_step
from tests.provisioning.moving.test_put_back import aborting, deployed, otherwise, works_as_before

WORD = "of-its-environment"
SLOW = "shop/slow"


def alone(kube, name="alone", *, slow=False, account="default"):
    containers = [{"name": "it", "image": "it", "env": [{"name": "WORD", "value": WORD}]}]
    meta = {"name": name, "namespace": "shop", "finalizers": [SLOW] if slow else []}
    spec = {"containers": containers, "serviceAccountName": account}
    return kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})


def ended(kube, name="alone"):
    kube.patch_merge(POD, name, "shop", {"metadata": {"finalizers": None}})


def acting(kube):
    """What it may makes whoever uses this account a controller."""
    rbac = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": "writes"}
    kube.create({"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": "writes"}, "rules": [rule]})
    subjects = [{"kind": "ServiceAccount", "name": "robot", "namespace": "shop"}]
    binding = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "writes"}}
    kube.create({**binding, "roleRef": role, "subjects": subjects})


def notes(kube):
    return kube.list(SECRET, label_selector=NOTE)


def test_it_is_made_again_once_it_has_ended_where_it_was(wanderer):
    with wanderer.inside() as kube:
        alone(kube, slow=True)
    waited = []

    def recreate(context, was):
        result = was(context)
        with left(context).virtual() as source, context.virtual() as target:
            if isinstance(result, Wait):
                waited.append(result.why)
                assert target.get(POD, "alone", "shop") is None, "it runs at both ends"
                ended(source)
            else:
                assert source.get(POD, "alone", "shop") is None
                assert notes(source) == []
        return result

    operation = wanderer.move(flow=otherwise(MIGRATE, "recreate-pods", recreate))
    assert operation.state == "Succeeded", operation.message
    assert waited == ["Waiting for pods to end where it was: shop/alone."]
    with wanderer.inside() as kube:
        made = kube.get(POD, "alone", "shop")
        assert made["spec"]["containers"][0]["env"] == [{"name": "WORD", "value": WORD}]
        assert notes(kube) == []
    operation.refresh_from_db()
    assert WORD not in json.dumps(operation.params), "what stands in its environment is in no table"


def test_a_worker_that_ends_once_it_has_ended_and_before_it_is_made_again_loses_nothing(wanderer):
    with wanderer.inside() as kube:
        alone(kube)
    died: list[bool] = []

    def recreate(context, was):
        if not died:
            died.append(True)
            with left(context).virtual() as source:
                pods_stop(source, lone_pods(source))
                assert source.get(POD, "alone", "shop") is None
            raise TemporaryError("The worker ended.", code="worker-ended")
        return was(context)

    operation = wanderer.move(flow=otherwise(MIGRATE, "recreate-pods", recreate))
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        assert kube.get(POD, "alone", "shop")


def test_one_that_acts_in_the_cluster_has_ended_before_anything_starts_where_it_goes(wanderer):
    with wanderer.inside() as kube:
        acting(kube)
        alone(kube, "robot", account="robot", slow=True)
        alone(kube)
    seen: list[object] = []

    def stop(context, was):
        result = was(context)
        with context.virtual() as source:
            if isinstance(result, Wait):
                seen.append(result.why)
                ended(source, "robot")
        return result

    def look(context):
        with context.virtual() as source:
            seen.append(sorted(pod["metadata"]["name"] for pod in lone_pods(source)))

    flow = otherwise(with_step(MIGRATE, "stop-workloads-first", "look", look), "stop-workloads-first", stop)
    operation = wanderer.move(flow=flow)
    assert operation.state == "Succeeded", operation.message
    assert seen == ["Waiting for pods to end: shop/robot.", ["alone"]]
    with wanderer.inside() as kube:
        assert sorted(pod["metadata"]["name"] for pod in lone_pods(kube)) == ["alone", "robot"]


@pytest.mark.parametrize("slow", [False, True])
def test_one_that_was_stopped_is_made_again_where_a_move_is_put_back(wanderer, slow):
    with wanderer.inside() as kube:
        deployed(kube)
        acting(kube)
        before = alone(kube, "robot", account="robot", slow=slow)
    waited = []

    def start(context, was):
        result = was(context)
        if isinstance(result, Wait):
            waited.append(result.why)
            with context.virtual() as source:
                ended(source, "robot")
        return result

    def stop(context, was):
        result = was(context)
        return None if isinstance(result, Wait) else result  # as if an abort had come while it ends

    flow = otherwise(otherwise(aborting("stop-workloads-first"), "start-source", start), "stop-workloads-first", stop)
    operation = wanderer.move(flow=flow)
    assert operation.state == "Aborted", operation.message
    works_as_before(wanderer)
    assert bool(waited) is slow
    with wanderer.inside() as kube:
        again = kube.get(POD, "robot", "shop")
        assert again["metadata"]["uid"] != before["metadata"]["uid"]
        assert "deletionTimestamp" not in again["metadata"]
        assert notes(kube) == []


def test_one_that_is_to_be_left_ends_and_does_not_come_back_with_the_cluster(wanderer):
    with wanderer.inside() as kube:
        alone(kube)
    asked = wanderer.ask()
    asked.params = {**asked.params, CHOICES: {**CHOSEN, "pods": "leave"}}
    asked.save(update_fields=["params"])
    assert operation_finish(asked, flows=FLOWS).state == "Succeeded", asked.message
    with wanderer.inside() as kube:
        assert lone_pods(kube) == []
    assert wanderer.move(back=True).state == "Succeeded"
    with wanderer.inside() as kube:
        assert lone_pods(kube) == []
        assert notes(kube) == []


def test_one_that_did_not_end_in_its_time_is_told_and_not_made_again(wanderer, monkeypatch):
    monkeypatch.setattr("provisioning.steps.moving_after.LEFT_SECONDS", -100.0)
    with wanderer.inside() as kube:
        alone(kube, slow=True)
    operation = wanderer.move()
    assert operation.state == "Succeeded", operation.message
    note = next(each for each in operation.steps if each["key"] == "recreate-pods")["note"]
    assert note == "These did not end where it was, and are not made again: shop/alone."
    with wanderer.inside() as kube:
        assert kube.get(POD, "alone", "shop") is None
    assert LEFT in operation.params
