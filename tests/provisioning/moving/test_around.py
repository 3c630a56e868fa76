"""Whoever writes to a cluster that is frozen is seen, whatever name they write by."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provisioning.drivers.kinds import CONFIG_MAP, VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY_BINDING
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.flows.migrate import MIGRATE
from provisioning.moving.freezing import NAME
from provisioning.moving.writers import By, kubernetes_made, kubernetes_wrote, written_by
from tests.e2e.moving_here import with_step
from tests.fakes.cluster import Target
from tests.provisioning.moving.conftest import Wanderer
from tests.provisioning.moving.samples import Found, of
from tests.provisioning.moving.test_carrying import at_source, put

SINCE = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOOKS = "ValidatingWebhookConfiguration"
SYSTEM = ("kube-controller-manager", "kube-scheduler", "vcluster", "kube-apiserver-v1.2")


def noted(manager: str, fields: Found, *, later: bool = True) -> Found:
    at = SINCE + timedelta(seconds=1 if later else -1)
    return {"manager": manager, "operation": "Update", "time": at.isoformat(), "fieldsV1": fields}


def by(kind: str, *writers: Found, **version: Any) -> By:
    return written_by(of(kind, "it", meta={"managedFields": list(writers)}, **version), SINCE)


DATA: Found = {"f:data": {".": {}, "f:x": {}}}
SPEC: Found = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"it"}': {"f:image": {}}}}}}}
REPLICAS: Found = {"f:spec": {"f:replicas": {}}}
HELD: Found = {"f:metadata": {"f:annotations": {".": {}, "f:marina.dev/held": {}}}, **REPLICAS}


@pytest.mark.parametrize("manager", ["kubectl", "marina-x", "marina-move-1", "Marina", "kube-controller", "None"])
def test_a_name_that_is_not_just_one_of_kubernetes_or_marinas_is_somebodys(manager: str) -> None:
    assert by("Deployment", noted(manager, HELD)) is By.SOMEBODY
    assert by("Deployment", noted("marina", HELD), noted(manager, HELD)) is By.SOMEBODY
    assert by("Deployment", noted("marina", HELD), noted(manager, HELD, later=False)) is By.NOBODY


@pytest.mark.parametrize("manager", [*SYSTEM, "marina"])
def test_by_such_a_name_nobody_is_taken_for_it_in_what_it_never_writes(manager: str) -> None:
    assert by("ConfigMap", noted(manager, DATA)) is By.UNTOLD
    assert by("Deployment", noted(manager, SPEC)) is By.UNTOLD
    outside = noted(manager, {"f:status": {"f:outside": {}}})
    assert by("Gadget", outside, version="things.example.com/v1") is By.UNTOLD


def test_what_marina_holds_and_what_kubernetes_writes_is_nobodys() -> None:
    assert by("Deployment", noted("marina", HELD)) is By.NOBODY
    assert by("ConfigMap", noted("marina", {"f:metadata": HELD["f:metadata"]})) is By.UNTOLD, "nothing holds it"
    status: Found = {"f:status": {"f:conditions": {".": {}, 'k:{"type":"Available"}': {"f:status": {}}}}}
    revision: Found = {"f:metadata": {"f:annotations": {".": {}, "f:deployment.kubernetes.io/revision": {}}}}
    protected: Found = {"f:metadata": {"f:finalizers": {".": {}, 'v:"kubernetes.io/pvc-protection"': {}}}}
    for manager in SYSTEM:
        for fields in (status, revision, protected, REPLICAS):
            assert by("Deployment", noted(manager, fields)) is By.NOBODY


def test_webhooks_are_held_by_whom_they_select_alone() -> None:
    version = "admissionregistration.k8s.io/v1"
    one: Found = {'k:{"name":"a.example"}': {"f:objectSelector": {}}}
    assert by(HOOKS, noted("marina", {"f:webhooks": one}), version=version) is By.NOBODY
    two: Found = {'k:{"name":"a.example"}': {"f:objectSelector": {}, "f:rules": {}}}
    assert by(HOOKS, noted("marina", {"f:webhooks": two}), version=version) is By.UNTOLD


def test_what_was_only_taken_away_leaves_no_name() -> None:
    assert by("ConfigMap", noted("helm", DATA, later=False)) is By.UNTOLD


def test_of_what_has_no_fields_the_age_tells() -> None:
    for seconds, expected in ((-1, By.NOBODY), (0, By.SOMEBODY)):
        created = (SINCE + timedelta(seconds=seconds)).isoformat()
        assert (
            written_by(of("ConfigMap", "it", meta={"managedFields": [], "creationTimestamp": created}), SINCE)
            is expected
        )


def test_only_what_controllers_write_or_make_may_differ_where_no_name_is_known() -> None:
    assert kubernetes_wrote(["metadata.annotations.autoscaling.k8s.io/x", "metadata.finalizers[0]", "spec.replicas"])
    assert not kubernetes_wrote(["metadata.annotations.mine"])
    assert not kubernetes_wrote(["spec.replicas", "data.x"])
    made = {"managedFields": [noted("kube-controller-manager", SPEC)]}
    assert kubernetes_made(of("Job", "nightly-1", meta=made))
    assert not kubernetes_made(of("ConfigMap", "it", meta=made))
    assert not kubernetes_made(of("Job", "it", meta={"managedFields": [noted("marina", SPEC)]}))


def changed(kube: KubeClient, manager: str, value: str | None) -> None:
    found = kube.get(CONFIG_MAP, "there", "shop")
    assert found is not None
    kube.patch_as(CONFIG_MAP, found, {"data": {"x": value}}, manager=manager)


@pytest.mark.parametrize(
    ("after", "manager", "value"),
    [
        ("copy-rest", "kube-controller-manager", "2"),
        ("stop-workloads-first", "marina", "2"),
        ("stop-workloads-first", "vcluster", "2"),
        ("stop-workloads-first", "kubectl", None),
    ],
)
def test_a_write_around_the_freeze_by_another_s_name_puts_the_move_back(
    wanderer: Wanderer, after: str, manager: str, value: str | None
) -> None:
    with wanderer.inside() as kube:
        put(kube, CONFIG_MAP, "there", data={"x": "1", "y": "1"})
    act = at_source(lambda kube: changed(kube, manager, value))
    operation = wanderer.move(flow=with_step(MIGRATE, after, "around", act))
    assert (operation.state, operation.error_code) == ("Failed", "unfrozen")
    assert "ConfigMap shop/there" in operation.error_message


def test_whoever_makes_something_by_a_name_of_marina_s_is_seen(wanderer: Wanderer) -> None:
    def makes(kube: KubeClient) -> None:
        meta = {"name": "around", "namespace": "shop"}
        kube.create_as(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}, manager="marina-x")

    operation = wanderer.move(flow=with_step(MIGRATE, "stop-workloads-first", "around", at_source(makes)))
    assert (operation.state, operation.error_code) == ("Failed", "unfrozen")
    assert "ConfigMap shop/around" in operation.error_message


def test_whoever_takes_the_freeze_away_during_the_last_look_is_seen(wanderer: Wanderer) -> None:
    def goes(context: StepContext) -> None:
        placement = context.placement
        inner: Any = wanderer.shop.fake.virtual(placement.namespace, f"{placement.release}-0")

        def take(target: Target) -> None:
            """As soon as the look before it was answered."""
            if target.kind == VALIDATING_ADMISSION_POLICY_BINDING:
                inner.found.remove(take)
                inner.store.delete(inner.store.get(VALIDATING_ADMISSION_POLICY, NAME))

        inner.found.append(take)

    operation = wanderer.move(flow=with_step(MIGRATE, "stop-workloads-last", "goes", goes))
    assert (operation.state, operation.error_code) == ("Failed", "unfrozen")
    assert "took the freeze away" in operation.error_message
    assert wanderer.placements()["active"] == "east"
