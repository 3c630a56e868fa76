"""What is carried to where a cluster goes, what is not, and what counts as written meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest

from provisioning.drivers.kinds import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    JOB,
    LEASE,
    POD,
    SECRET,
    SERVICE_ACCOUNT,
    Json,
    Kind,
)
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.flows.migrate import MIGRATE
from provisioning.moving.ending import deleted, finalizers_kept
from provisioning.moving.what_moves import as_moved, left_out
from tests.canaries import canary
from tests.e2e.moving_here import with_step
from tests.fakes.answers import Refusal
from tests.provisioning.moving.conftest import Wanderer

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
TOKEN = canary("t0ken-of-a-robot-in-the-shop", "a token in a Secret of a tenant")


def put(kube: KubeClient, kind: Kind, name: str, *, owner: Json | None = None, **parts: Any) -> Json:
    """As somebody does who is no part of Kubernetes or Marina."""
    meta = {"name": name, "namespace": "shop", **parts.pop("meta", {})}
    if owner is not None:
        named = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        meta["ownerReferences"] = [{"apiVersion": owner["apiVersion"], "kind": owner["kind"], **named}]
    manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, **parts}
    return kube.create_as(kind, manifest, manager="kubectl")


def at_source(act: Callable[[KubeClient], Any]) -> Callable[[StepContext], None]:
    def does(context: StepContext) -> None:
        with context.virtual() as source:
            act(source)

    return does


def ends(kube: KubeClient, name: str) -> None:
    status = {"conditions": [{"type": "Complete", "status": "True"}]}
    kube.patch_merge(JOB, name, "shop", {"status": status}, subresource="status")


def owners_at(kube: KubeClient, kind: Kind, name: str) -> Any:
    return (kube.get(kind, name, "shop") or {"metadata": {}})["metadata"].get("ownerReferences")


def test_only_finalizers_of_controllers_that_a_cluster_has_of_itself_are_waited_for() -> None:
    kept = ["kubernetes.io/pvc-protection", CLEANUP, "batch.kubernetes.io/job-tracking", "foregroundDeletion", "orphan"]
    others = [
        "service.kubernetes.io/load-balancer-cleanup",
        "external-attacher/csi-example",
        "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection",
        "external-provisioner.volume.kubernetes.io/finalizer",
        "shop/outside",
    ]
    assert finalizers_kept({"metadata": {"finalizers": [*others, *kept]}}) == kept


def definition() -> Json:
    names = {"kind": "Lease", "plural": "leases", "singular": "lease"}
    versions = [{"name": "v1", "served": True, "storage": True}]
    return {
        "apiVersion": CUSTOM_RESOURCE_DEFINITION.api_version,
        "kind": CUSTOM_RESOURCE_DEFINITION.kind,
        "metadata": {"name": "leases.coordination.k8s.io", "finalizers": [CLEANUP, "shop/outside"]},
        "spec": {"group": LEASE.group, "scope": "Namespaced", "names": names, "versions": versions},
    }


def test_a_definition_ends_by_the_api_server_that_takes_its_objects_along_which_wait_for_nobody(
    wanderer: Wanderer,
) -> None:
    with wanderer.inside() as kube:
        made = kube.create_as(CUSTOM_RESOURCE_DEFINITION, definition(), manager="kubectl")
        put(kube, LEASE, "held", meta={"finalizers": ["shop/outside", "kubernetes.io/pv-protection"]})
        deleted(kube, CUSTOM_RESOURCE_DEFINITION, made)
        left = kube.get(CUSTOM_RESOURCE_DEFINITION, made["metadata"]["name"])
        assert left is not None
        assert (left["metadata"]["finalizers"], "deletionTimestamp" in left["metadata"]) == ([CLEANUP], True)
        assert kube.get(LEASE, "held", "shop")["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]


def test_a_definition_that_was_deleted_while_its_cluster_moves_is_not_torn_from_the_api_server(
    wanderer: Wanderer,
) -> None:
    with wanderer.inside() as kube:
        kube.create_as(CUSTOM_RESOURCE_DEFINITION, definition(), manager="kubectl")

    def goes(kube: KubeClient) -> None:
        name = definition()["metadata"]["name"]
        kube.patch_merge(CUSTOM_RESOURCE_DEFINITION, name, None, {"metadata": {"finalizers": None}})
        assert kube.delete(CUSTOM_RESOURCE_DEFINITION, name)

    operation = wanderer.move(flow=with_step(MIGRATE, "copy-objects", "goes", at_source(goes)))
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        left = kube.get(CUSTOM_RESOURCE_DEFINITION, definition()["metadata"]["name"])
        assert left is not None
        assert (left["metadata"]["finalizers"], "deletionTimestamp" in left["metadata"]) == ([CLEANUP], True)


def test_what_a_pod_owns_ends_with_it_and_what_an_ended_job_owns_comes_along(wanderer: Wanderer) -> None:
    with wanderer.inside() as kube:
        pod = put(kube, POD, "driver", spec={"containers": [{"name": "it", "image": "it"}]})
        put(kube, CONFIG_MAP, "of-pod", owner=pod)
        job = put(kube, JOB, "old", spec={"template": {"spec": {}}})
        put(kube, CONFIG_MAP, "result", owner=job)
        ends(kube, "old")
    operation = wanderer.move()
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        assert kube.get(CONFIG_MAP, "of-pod", "shop") is None
        assert kube.get(CONFIG_MAP, "result", "shop")
        assert owners_at(kube, CONFIG_MAP, "result") is None


@pytest.mark.parametrize("after", ["copy-objects", "copy-rest"])
def test_a_job_that_ends_late_leaves_what_it_owns(wanderer: Wanderer, after: str) -> None:
    with wanderer.inside() as kube:
        job = put(kube, JOB, "load", spec={"template": {"spec": {}}})
        put(kube, CONFIG_MAP, "result", owner=job)
    flow = with_step(MIGRATE, after, "job-ends", at_source(lambda kube: ends(kube, "load")))
    operation = wanderer.move(flow=flow)
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        assert kube.get(JOB, "load", "shop") is None
        assert kube.get(CONFIG_MAP, "result", "shop")
        assert owners_at(kube, CONFIG_MAP, "result") is None


def deployed(kube: KubeClient) -> None:
    labels = {"app": "web"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "it", "image": "it"}]}}
    put(kube, DEPLOYMENT, "web", spec={"replicas": 1, "selector": {"matchLabels": labels}, "template": pods})


def scaled(kube: KubeClient, manager: str) -> None:
    found = kube.get(DEPLOYMENT, "web", "shop")
    assert found is not None
    kube.patch_as(DEPLOYMENT, found, {"spec": {"replicas": 3}}, manager=manager)


def test_an_autoscaler_that_scales_while_nobody_may_write_puts_nothing_back(wanderer: Wanderer) -> None:
    with wanderer.inside() as kube:
        deployed(kube)
    scale = at_source(lambda kube: scaled(kube, "kube-controller-manager"))
    operation = wanderer.move(flow=with_step(MIGRATE, "copy-rest", "scale", scale))
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        assert kube.get(DEPLOYMENT, "web", "shop")["spec"]["replicas"] == 1, "as it was copied"


@pytest.mark.parametrize("after", ["copy-rest", "stop-workloads-first"])
def test_what_somebody_writes_while_nobody_may_puts_the_move_back(wanderer: Wanderer, after: str) -> None:
    with wanderer.inside() as kube:
        deployed(kube)
    act = at_source(lambda kube: put(kube, CONFIG_MAP, "around"))
    operation = wanderer.move(flow=with_step(MIGRATE, after, "around", act))
    assert (operation.state, operation.error_code) == ("Failed", "unfrozen")
    assert "ConfigMap shop/around" in operation.error_message


def test_what_somebody_deletes_while_nobody_may_write_puts_the_move_back(wanderer: Wanderer) -> None:
    with wanderer.inside() as kube:
        put(kube, CONFIG_MAP, "there")
    act = at_source(lambda kube: kube.delete(CONFIG_MAP, "there", "shop"))
    operation = wanderer.move(flow=with_step(MIGRATE, "copy-rest", "delete", act))
    assert (operation.state, operation.error_code) == ("Failed", "unfrozen")


def test_what_kubernetes_takes_along_with_an_owner_whose_time_is_over_goes_where_it_moves_too(
    wanderer: Wanderer,
) -> None:
    with wanderer.inside() as kube:
        job = put(kube, JOB, "load", spec={"ttlSecondsAfterFinished": 0, "template": {"spec": {}}})
        put(kube, CONFIG_MAP, "result", owner=job)
    act = at_source(lambda kube: kube.delete(JOB, "load", "shop"))
    operation = wanderer.move(flow=with_step(MIGRATE, "copy-rest", "times-out", act))
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        assert kube.get(JOB, "load", "shop") is None
        assert kube.get(CONFIG_MAP, "result", "shop") is None


def token_secret(kube: KubeClient, name: str) -> None:
    annotations = {"kubernetes.io/service-account.name": "robot", "kubernetes.io/service-account.uid": "7", "mine": "1"}
    labels = {"kubernetes.io/legacy-token-last-used": "2026-11-26", "team": "a"}
    meta = {"annotations": annotations, "labels": labels}
    data = {"token": TOKEN, "ca.crt": "x", "namespace": "x"}
    put(kube, SECRET, name, meta=meta, type="kubernetes.io/service-account-token", stringData=data)


@pytest.mark.parametrize("after", ["", "copy-objects", "copy-changes"])
def test_a_secret_for_a_token_comes_along_without_the_token(wanderer: Wanderer, after: str) -> None:
    """Whether it was there before or is made meanwhile."""

    def makes(kube: KubeClient) -> None:
        put(kube, SERVICE_ACCOUNT, "robot")
        token_secret(kube, "robot")

    if not after:
        with wanderer.inside() as kube:
            makes(kube)
    flow = with_step(MIGRATE, after, "makes", at_source(makes)) if after else MIGRATE
    operation = wanderer.move(flow=flow)
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        found = kube.get(SECRET, "robot", "shop")
        assert found is not None
        assert (found["type"], found.get("data")) == ("kubernetes.io/service-account-token", None)
        assert found["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "robot", "mine": "1"}
        assert found["metadata"]["labels"] == {"team": "a"}


def test_a_new_token_is_left_alone_and_a_secret_that_was_deleted_goes(wanderer: Wanderer) -> None:
    with wanderer.inside() as kube:
        put(kube, SERVICE_ACCOUNT, "robot")
        token_secret(kube, "robot")
        token_secret(kube, "gone")

    def fills_in(context: StepContext) -> None:
        with context.on_target().virtual() as target:
            found = target.get(SECRET, "robot", "shop")
            assert found is not None
            meta = {"annotations": {"kubernetes.io/service-account.uid": "8"}}
            patch = {"metadata": meta, "stringData": {"token": "new"}}
            target.patch_as(SECRET, found, patch, manager="kube-controller-manager")
        with context.virtual() as source:
            assert source.delete(SECRET, "gone", "shop")

    operation = wanderer.move(flow=with_step(MIGRATE, "copy-changes", "fills-in", fills_in))
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        found = kube.get(SECRET, "robot", "shop")
        assert found is not None
        assert found["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == "8"
        assert list(found["data"]) == ["token"]
        assert kube.get(SECRET, "gone", "shop") is None


def test_a_token_that_kubernetes_made_by_itself_does_not_move_and_what_people_added_to_one_does() -> None:
    managers = [{"manager": "kube-controller-manager"}]
    meta: Json = {"name": "default-token-x", "namespace": "shop", "managedFields": managers}
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/service-account-token"}
    assert left_out(made)
    theirs: Json = {**made, "metadata": {**meta, "managedFields": [*managers, {"manager": "kubectl"}]}}
    assert not left_out(theirs)
    assert left_out({**theirs, "metadata": {**theirs["metadata"], "namespace": "marina-access"}})
    assert as_moved({**theirs, "data": {"token": "x", "extra": "y"}})["data"] == {"extra": "y"}


IMMUTABLE = 'ConfigMap "it" is invalid: data: Forbidden: field is immutable when `immutable` is set'
DENIED = (
    "configmaps \"it\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: it is immutable"
)


@pytest.mark.parametrize(
    ("path", "message", "made_anew"),
    [
        ("/api/v1/namespaces/shop/configmaps/it", IMMUTABLE, True),
        ("/api/v1/namespaces/shop/configmaps/it", DENIED, False),
        ("/api/v1/namespaces/shop", 'Namespace "shop" is invalid: metadata.labels: field is immutable', False),
    ],
    ids=["what nobody may change", "what a policy denies", "a namespace"],
)
def test_only_what_nobody_may_change_is_made_anew_and_never_what_all_else_is_in(
    wanderer: Wanderer, path: str, message: str, made_anew: bool
) -> None:
    asked: list[str] = []

    def look(request: Any) -> None:
        if request.path == path:
            asked.append(request.method)
            if request.method == "PATCH":
                raise Refusal(422, "Invalid", message)

    def changes(context: StepContext) -> None:
        wanderer.copy_of(context).before.append(look)
        with context.virtual() as source:
            change = {"metadata": {"labels": {"new": "1"}}}
            if path.endswith("/it"):
                source.patch_merge(CONFIG_MAP, "it", "shop", change)
            else:
                source.patch_merge(Kind("v1", "Namespace", "namespaces", namespaced=False), "shop", None, change)

    with wanderer.inside() as kube:
        put(kube, CONFIG_MAP, "it")
    operation = wanderer.move(flow=with_step(MIGRATE, "copy-objects", "changes", changes))
    assert ("DELETE" in asked) is made_anew
    expected = ("Succeeded", "") if made_anew else ("Failed", "not-taken")
    assert (operation.state, operation.error_code) == expected, operation.message


def test_what_an_object_owns_that_is_made_anew_does_not_go_with_the_old_one(wanderer: Wanderer) -> None:
    """It was made anew at the source and got back what it owned: nothing of the copy goes with the copy's old one."""

    def refuses(request: Any) -> None:
        if (request.method, request.path) == ("PATCH", "/api/v1/namespaces/shop/configmaps/it"):
            raise Refusal(422, "Invalid", IMMUTABLE)

    def made_anew(context: StepContext) -> None:
        wanderer.copy_of(context).before.append(refuses)
        with context.virtual() as source:
            assert source.delete(CONFIG_MAP, "it", "shop", propagation="Orphan")
            owner = put(source, CONFIG_MAP, "it", data={"n": "2"})
            put(source, CONFIG_MAP, "added", owner=owner)
            reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "it", "uid": owner["metadata"]["uid"]}
            for name in ("a-child", "child"):
                source.patch_merge(CONFIG_MAP, name, "shop", {"metadata": {"ownerReferences": [reference]}})

    with wanderer.inside() as kube:
        owner = put(kube, CONFIG_MAP, "it", data={"n": "1"})
        put(kube, CONFIG_MAP, "a-child", owner=owner)
        put(kube, CONFIG_MAP, "child", owner=owner)
    operation = wanderer.move(flow=with_step(MIGRATE, "copy-objects", "made-anew", made_anew))
    assert operation.state == "Succeeded", operation.message
    with wanderer.inside() as kube:
        found = kube.get(CONFIG_MAP, "it", "shop")
        assert found is not None
        assert found["data"] == {"n": "2"}
        for name in ("a-child", "added", "child"):
            (reference,) = owners_at(kube, CONFIG_MAP, name)
            assert reference["uid"] == found["metadata"]["uid"], name
