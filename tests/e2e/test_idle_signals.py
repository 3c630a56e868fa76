"""In a real virtual API: what an operator writes each second is no use of its cluster, one `kubectl annotate` is."""

import time
from collections.abc import Callable, Iterator
from json import dumps
from typing import Any

import psycopg
import pytest

from dev.waiting import wait_until
from tests.commands import Kubectl
from tests.conftest import TestHost
from tests.e2e.api import Api, Json

NAME = "idling"
OPERATOR = ("--field-manager", "shop-operator", "--type", "merge")
SECONDS = 6


@pytest.fixture(scope="module")
def made(home: TestHost, developer: Api, project: str) -> Iterator[Json]:
    developer.ended(developer.create(NAME, project=project, host=home.name), seconds=240)
    yield developer.cluster(NAME)
    developer.ended(developer.delete(NAME), seconds=240)


@pytest.fixture(scope="module")
def inside(made: Json, inside_of: Callable[[str], Kubectl]) -> Kubectl:
    return inside_of(NAME)


@pytest.fixture
def surveyed(made: Json, developer: Api, database: psycopg.Connection) -> Callable[[], Json]:
    """Its signal of change after a survey that began now."""

    def change() -> Json:
        signals = developer.get(f"/virtual-clusters/{made['id']}/signals")["signals"]
        found: Json = next(each for each in signals if each["kind"] == "change")
        return found

    def survey() -> Json:
        wait_until(lambda: change()["observed_at"], seconds=60, what="Nobody looked into it")
        before = change()["observed_at"]
        turn = "UPDATE clusters_idlesignal SET looked_at = NULL WHERE virtual_cluster_id = %s AND kind = 'change'"
        database.execute(turn, [made["id"]])
        wait_until(lambda: change()["observed_at"] != before, seconds=60, what="Nobody looked into it again")
        found = change()
        assert found["state"] == "known", found
        return found

    return survey


def writers(developer: Api, made: Json) -> dict[str, Any]:
    return {each["manager"]: each for each in developer.list(f"/virtual-clusters/{made['id']}/writers")}


def test_an_operator_does_not_keep_its_cluster_awake_and_one_annotation_does(
    made: Json, developer: Api, inside: Kubectl, surveyed: Callable[[], Json]
) -> None:
    # with something in it: Kubernetes keeps no managedFields of an object that was made without any field
    inside("create", "configmap", "state", "--from-literal", "turn=0", "--field-manager", "shop-operator")
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader"}}
    inside("create", "-f", "-", stdin=dumps(lease))
    inside("create", "deployment", "web", "--image", "example.com/none")
    before = surveyed()
    assert before["who"].startswith("kubectl-create: "), before

    until = time.monotonic() + SECONDS
    turn = 0
    while time.monotonic() < until:
        turn += 1
        inside("patch", "lease", "leader", *OPERATOR, "-p", dumps({"spec": {"leaseTransitions": turn}}))
        status = {"status": {"observedGeneration": turn}}
        inside("patch", "deployment", "web", "--subresource", "status", *OPERATOR, "-p", dumps(status))
        inside("patch", "configmap", "state", *OPERATOR, "-p", dumps({"data": {"turn": str(turn)}}))
    after = surveyed()
    assert (after["last_used_at"], after["who"]) == (before["last_used_at"], before["who"])
    operator = writers(developer, made)["shop-operator"]
    assert (operator["verdict"], operator["counts"], operator["kinds"]) == ("inside", False, ["ConfigMap"])

    inside("annotate", "deployment", "web", "seen=yes")
    used = surveyed()
    assert used["last_used_at"] > before["last_used_at"]
    assert used["who"] == "kubectl-annotate: Deployment default/web"


def test_who_writes_by_themselves_is_the_system(made: Json, developer: Api, surveyed: Callable[[], Json]) -> None:
    surveyed()
    found = writers(developer, made)
    assert {"kube-controller-manager", "kube-apiserver"} & set(found)
    system = {name for name, each in found.items() if each["verdict"] == "system"}
    counting = {name for name, each in found.items() if each["counts"]}
    assert counting <= {"kubectl-create", "kubectl-annotate"}, counting
    assert {name for name in found if name.startswith(("kube-", "marina"))} <= system


def test_an_operator_that_people_say_is_theirs_counts_at_once(
    made: Json, developer: Api, surveyed: Callable[[], Json]
) -> None:
    found = writers(developer, made)["shop-operator"]
    path = f"/virtual-clusters/{made['id']}/writers/{found['id']}"
    assert developer("PATCH", path, {"verdict": "person"})["counts"] is True
    assert surveyed()["last_used_at"] >= found["last_write_at"]
    developer("PATCH", path, {"verdict": None})
