"""A freeze refuses who is not exempt, is told from another one, and ends; on a real API server and on the fake."""

from collections.abc import Iterator

import pytest

from dev.waiting import wait_until
from provisioning.drivers.errors import ForbiddenError
from provisioning.drivers.kinds import (
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
)
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.moving.freezing import (
    NAME,
    access_resume,
    access_suspend,
    freeze_holds,
    freeze_put,
    freeze_refuses,
    freeze_supported,
    freeze_take_away,
)
from provisioning.steps.kubeconfig import account_manifests
from provisioning.steps.names import ACCESS_NAMESPACE
from tests.provisioning.drivers.conftest import Backend

SENTENCE = "shop is being moved to harbor-west; try again in a minute."


@pytest.fixture
def kube(backend: Backend) -> Iterator[KubeClient]:
    with connection_open(backend.host, target="a cluster that moves") as api:
        kube = KubeClient(api)
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ACCESS_NAMESPACE}})
        yield kube
        freeze_take_away(kube)
        wait_until(lambda: not freeze_refuses(kube), seconds=20, what="the freeze did not end")


def manifest(name="try", namespace=ACCESS_NAMESPACE):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}


def frozen(kube):
    freeze = freeze_put(kube, SENTENCE)
    wait_until(lambda: freeze_refuses(kube), seconds=20, what="the freeze took no effect")
    return freeze


def test_it_refuses_ordinary_users_in_its_own_words_and_ends(kube):
    assert freeze_supported(kube)
    assert not freeze_refuses(kube)
    frozen(kube)
    with pytest.raises(ForbiddenError, match=SENTENCE):
        kube.try_as("somebody", "system:masters", manifest())
    freeze_take_away(kube)
    wait_until(lambda: not freeze_refuses(kube), seconds=20, what="the freeze did not end")
    kube.try_as("somebody", "system:masters", manifest())


@pytest.mark.parametrize(
    "name",
    [
        "kubernetes-super-admin",
        "system:apiserver",
        "system:kube-controller-manager",
        "system:node:worker-1",
        "system:serviceaccount:kube-system:deployment-controller",
    ],
)
def test_who_keeps_the_cluster_alive_is_exempt(kube, name):
    frozen(kube)
    kube.try_as(name, "system:masters", manifest())


@pytest.mark.parametrize(
    "name",
    ["system:admin", "system:serviceaccount:kube-system:theirs", "system:serviceaccount:default:deployment-controller"],
)
def test_nobody_else_is_not_even_an_account_in_kube_system(kube, name):
    frozen(kube)
    with pytest.raises(ForbiddenError, match=f"'{NAME}'"):
        kube.try_as(name, "system:masters", manifest())


def test_a_freeze_that_somebody_took_away_or_put_anew_is_not_the_same(kube):
    freeze = frozen(kube).as_json()
    assert freeze_holds(kube, freeze)
    assert freeze_put(kube, SENTENCE).as_json() == freeze, "putting it there again changes nothing"
    kube.delete(VALIDATING_ADMISSION_POLICY_BINDING, NAME)
    assert not freeze_holds(kube, freeze)
    assert freeze_put(kube, SENTENCE).as_json() != freeze
    changed = freeze_put(kube, SENTENCE).as_json()
    kube.patch_merge(VALIDATING_ADMISSION_POLICY, NAME, None, {"spec": {"failurePolicy": "Ignore"}})
    assert not freeze_holds(kube, changed)


def test_access_that_marina_gave_is_suspended_and_comes_back_as_it_was(kube):
    for each in account_manifests("user-x-admin", "admin", {"app.kubernetes.io/managed-by": "marina"}, handle="x"):
        kube.apply(each)
    before = kube.get(CLUSTER_ROLE_BINDING, "marina:user-x-admin")
    access_suspend(kube)
    access_suspend(kube)
    assert not (kube.get(CLUSTER_ROLE_BINDING, "marina:user-x-admin") or {}).get("subjects")
    access_resume(kube)
    after = kube.get(CLUSTER_ROLE_BINDING, "marina:user-x-admin")
    assert (after["subjects"], after["metadata"].get("annotations")) == (
        before["subjects"],
        before["metadata"].get("annotations"),
    )
    kube.delete(CLUSTER_ROLE_BINDING, "marina:user-x-admin")


def test_revisions_grow_with_each_write(kube):
    before = kube.revision()
    kube.apply(manifest("grows"))
    assert kube.revision() > before
    kube.delete(CONFIG_MAP, "grows", ACCESS_NAMESPACE)
