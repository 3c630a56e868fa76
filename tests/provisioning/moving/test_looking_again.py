"""What came since the preflight is moved with nobody's choice at no time: before it is frozen, and once it is."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from clusters.models import Operation
from clusters.preflight import CHOICES
from provisioning.drivers.kinds import JOB, PERSISTENT_VOLUME_CLAIM, VALIDATING_ADMISSION_POLICY
from provisioning.engine.flow import StepResult, Wait
from provisioning.flows import FLOWS
from provisioning.flows.migrate import MIGRATE
from provisioning.moving.freezing import NAME
from tests.e2e.in_process import operation_finish
from tests.e2e.moving_here import with_step
from tests.fakes.controllers import FIRST_CONSUMER, SELECTED_NODE

CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "shop"},
    "spec": {"storageClassName": "standard", "resources": {"requests": {"storage": "4Gi"}}},
}
LONE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "lone", "namespace": "shop"},
    "spec": {"containers": [{"name": "it", "image": "it"}]},
}
BALANCER = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "front", "namespace": "shop"},
    "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
}
LOAD = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "load", "namespace": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "it", "image": "it"}]}}},
}
BEFORE_IT_IS_FROZEN, FROZEN = "raise-revisions", "freeze-source"


def coming(manifest, after):
    """The move, during which this is made."""

    def make(context):
        with context.virtual() as source:
            source.apply(manifest)

    return with_step(MIGRATE, after, "comes", make)


def moved(wanderer, flow, **choices):
    operation = wanderer.ask()
    operation.params = {**operation.params, CHOICES: choices}
    operation.save(update_fields=["params"])
    return operation_finish(operation, flows={**FLOWS, operation.kind: flow})


def is_where_it_was(wanderer):
    assert wanderer.placements() == {"active": "east", "leaving": "beyond"}
    assert (wanderer.cluster.phase, wanderer.cluster.frozen_at) == ("Ready", None)
    with wanderer.inside() as kube:
        assert kube.get(VALIDATING_ADMISSION_POLICY, NAME) is None


def state(operation: Operation, key: str) -> str:
    found: str = next(each["state"] for each in operation.steps if each["key"] == key)
    return found


@pytest.mark.parametrize("after", [BEFORE_IT_IS_FROZEN, FROZEN])
@pytest.mark.parametrize(
    ("manifest", "told", "option"),
    [
        (CLAIM, "What volumes hold does not move: 1 claim with 4 GiB", "--volumes recreate-empty"),
        (LONE, "1 Pod has no controller", "--pods recreate|leave"),
        (BALANCER, "1 Service of type LoadBalancer", "--outside proceed"),
        (LOAD, "1 Job is running", "--jobs restart|wait"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_what_comes_after_the_check_is_not_moved_without_a_choice(wanderer, after, manifest, told, option):
    operation = moved(wanderer, coming(manifest, after))
    assert (operation.state, operation.error_code) == ("Failed", "needs-choice")
    assert told in operation.error_message
    assert option in operation.error_hint
    assert state(operation, "look-again") == ("failed" if after == BEFORE_IT_IS_FROZEN else "done")
    is_where_it_was(wanderer)


@pytest.mark.parametrize("after", [BEFORE_IT_IS_FROZEN, FROZEN])
def test_what_comes_after_the_check_is_moved_as_was_chosen_before(wanderer, after):
    operation = moved(wanderer, coming(CLAIM, after), volumes="recreate-empty")
    assert operation.state == "Succeeded", operation.message


def job_ends(context):
    with context.virtual() as source:
        status = {"conditions": [{"type": "Complete", "status": "True"}]}
        source.patch_merge(JOB, "load", "shop", {"status": status}, subresource="status")


def test_a_job_that_was_started_since_is_waited_for_before_it_is_frozen(wanderer):
    waits: list[StepResult] = []

    def look(context, was):
        if not waits:
            waits.append(was(context))
            job_ends(context)
        return was(context)

    flow = coming(LOAD, BEFORE_IT_IS_FROZEN)
    steps = (
        replace(each, run=lambda context, was=each.run: look(context, was)) if each.key == "look-again" else each
        for each in flow.steps
    )
    operation = moved(wanderer, replace(flow, steps=tuple(steps)), jobs="wait")
    assert operation.state == "Succeeded", operation.message
    assert waits == [Wait(1.0, "1 Job runs: shop/load.")]


@pytest.mark.parametrize("after", [BEFORE_IT_IS_FROZEN, FROZEN])
def test_a_job_that_does_not_end_in_time_puts_it_back_where_it_was_chosen_to_wait(wanderer, after, monkeypatch):
    monkeypatch.setattr("provisioning.steps.move_check.LATE_JOBS_SECONDS", 0.0)
    operation = moved(wanderer, coming(LOAD, after), jobs="wait")
    assert (operation.state, operation.error_code) == ("Failed", "needs-choice")
    assert operation.error_message == "1 Job runs: shop/load. It was to wait for Jobs, and there are always some."
    is_where_it_was(wanderer)
    with wanderer.inside() as kube:
        assert not kube.get(JOB, "load", "shop")["spec"].get("suspend")


PENDING = copy.deepcopy(CLAIM)
PENDING["spec"]["storageClassName"] = FIRST_CONSUMER


def binds(context):
    """By Kubernetes' own scheduler and controller, which a freeze lets pass."""
    chosen = {"metadata": {"annotations": {SELECTED_NODE: "node-1"}}, "spec": {"volumeName": "pvc-1"}}
    with context.virtual() as source:
        assert source.patch_merge(PERSISTENT_VOLUME_CLAIM, "data", "shop", chosen)["status"]["phase"] == "Bound"


@pytest.mark.parametrize("after", [FROZEN, "look-frozen", "copy-rest"])
def test_a_claim_that_is_bound_in_the_freeze_is_not_given_up_without_a_choice(wanderer, after):
    with wanderer.inside() as kube:
        kube.apply(PENDING)
    operation = moved(wanderer, with_step(MIGRATE, after, "binds", binds))
    assert (operation.state, operation.error_code) == ("Failed", "needs-choice")
    assert "What volumes hold does not move: 1 claim with 4 GiB" in operation.error_message
    is_where_it_was(wanderer)


def test_one_that_is_bound_in_the_freeze_moves_as_was_chosen_before(wanderer):
    with wanderer.inside() as kube:
        kube.apply(PENDING)
    operation = moved(wanderer, with_step(MIGRATE, "copy-rest", "binds", binds), volumes="recreate-empty")
    assert operation.state == "Succeeded", operation.message


def test_an_unbound_claim_of_a_pod_that_goes_on_counts_as_bound(wanderer):
    """It may be bound until that pod has ended, which is after people were let to the target."""
    lone = copy.deepcopy(LONE)
    lone["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    with wanderer.inside() as kube:
        kube.apply(PENDING)
        kube.apply(lone)
    operation = moved(wanderer, MIGRATE, pods="recreate")
    assert (operation.state, operation.error_code) == ("Failed", "needs-choice")
    assert "1 claim with 4 GiB" in operation.error_message
    is_where_it_was(wanderer)


def test_a_claim_that_nobody_bound_needs_no_choice(wanderer):
    with wanderer.inside() as kube:
        kube.apply(PENDING)
    operation = moved(wanderer, MIGRATE)
    assert operation.state == "Succeeded", operation.message
