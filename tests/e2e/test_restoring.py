"""What somebody owns is exported, the cluster deleted, and made again as it was: object by object."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.exports.digests import differing_paths, object_digest
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json
from tests.e2e.belongings import belongings
from tests.e2e.owning import Owning
from tests.provisioning.drivers.conftest import connection_of

NAME, AGAIN = "kept", "kept-again"
NAMESPACES, FILLING = 20, 15
"""Of both: more than 500 objects of 25 kinds."""


def client_of(inside: Kubectl) -> Iterator[KubeClient]:
    with connection_open(connection_of(inside.kubeconfig), target="virtual cluster") as api:
        yield KubeClient(api)


@pytest.fixture(scope="module")
def owned() -> list[Json]:
    return belongings(namespaces=NAMESPACES, filling=FILLING)


@pytest.fixture(scope="module")
def made(home: TestHost, developer: Api, project: str) -> Json:
    developer.ended(developer.create(NAME, project=project, host=home.name, labels={"team": "blue"}), seconds=240)
    return developer.cluster(NAME)


@pytest.fixture(scope="module")
def before(made: Json, inside_of: Callable[[str], Kubectl], owned: list[Json]) -> list[Json]:
    """Everything as it was when it was exported."""
    for kube in client_of(inside_of(NAME)):
        owning = Owning(kube)
        owning.make(owned)
        return owning.exported(owned)
    raise AssertionError


@pytest.fixture(scope="module")
def export(developer: Api, made: Json, before: list[Json]) -> Json:
    answer = developer("POST", f"/virtual-clusters/{made['id']}/exports", status=202)
    developer.ended(answer["operation"], seconds=240)
    found: Json = developer.get(f"/exports/{answer['export']['id']}")
    assert found["state"] == "Complete"
    return found


@pytest.fixture(scope="module")
def restored(developer: Api, made: Json, export: Json, marina: Marina) -> Iterator[Json]:
    """The operation that made it again after it was deleted, under another name."""
    developer.ended(developer.delete(NAME), seconds=240)
    answer = marina("restore", export["id"], "--as", AGAIN, "--wait", "-o", "json")
    cluster = answer.json
    assert (cluster["name"], cluster["phase"], cluster["labels"]) == (AGAIN, "Ready", {"team": "blue"})
    (operation,) = developer.list("/operations", virtual_cluster=cluster["id"], kind="restore")
    yield developer.operation(operation)
    developer.ended(developer.delete(AGAIN), seconds=240)


def test_every_object_is_there_again_and_the_same(
    restored: Json, before: list[Json], owned: list[Json], inside_of: Callable[[str], Kubectl]
) -> None:
    assert len({each["kind"] for each in owned}) >= 25
    assert len(owned) >= 60
    for kube in client_of(inside_of(AGAIN)):
        after = Owning(kube).exported(owned)
    different = [
        (old["kind"], old["metadata"]["name"], differing_paths(old, new))
        for old, new in zip(before, after, strict=True)
    ]
    assert not [each for each in different if each[2]]
    assert [object_digest(each) for each in before] == [object_digest(each) for each in after]
    ours = {each["metadata"]["uid"] for each in after}
    references = [each for obj in after for each in obj["metadata"].get("ownerReferences") or ()]
    assert references
    assert all(reference["uid"] in ours for reference in references)


def test_the_operation_tells_what_came_of_it(restored: Json, developer: Api, before: list[Json]) -> None:
    counts = restored["restored"]["counts"]
    assert counts["objects"] == counts["equal"] >= len(before), restored["restored"]["listed"]
    assert restored["restored"]["listed"] == []
    assert [each["state"] for each in restored["steps"]] == ["done"] * len(restored["steps"])
    conditions = {each["type"]: each for each in developer.cluster(AGAIN)["conditions"]}
    assert conditions["Restored"]["status"] == "True"


def test_restored_into_the_same_cluster_what_differs_is_listed_and_left_alone_unless_it_is_to_be_overwritten(
    restored: Json, export: Json, developer: Api, inside_of: Callable[[str], Kubectl]
) -> None:
    inside = inside_of(AGAIN)
    inside("patch", "configmap", "derived", "-n", "shop-1", "-p", '{"data": {"b": "changed"}}')
    inside("delete", "secret", "login", "-n", "shop-2")
    told = into(developer, export)["restored"]
    (entry,) = told["listed"]
    assert (entry["what"], entry["object"], entry["paths"]) == ("conflict", "ConfigMap shop-1/derived", ["data.b"])
    assert told["counts"]["created"] == 1
    assert inside.get("configmap", "derived", "-n", "shop-1")["data"] == {"b": "changed"}
    assert inside.get("secret", "login", "-n", "shop-2")["type"] == "Opaque"
    told = into(developer, export, overwrite=True)["restored"]
    assert told["listed"] == []
    assert told["counts"]["overwritten"] == 1
    assert inside.get("configmap", "derived", "-n", "shop-1")["data"] == {"b": "2"}


def into(developer: Api, export: Json, **more: Any) -> Json:
    """Restored into the cluster that was made again; the operation when it has ended."""
    body = {"into": developer.cluster(AGAIN)["id"], **more}
    answer = developer("POST", f"/exports/{export['id']}/restore", body, status=202)
    return developer.ended(answer["operation"], seconds=240)


def test_a_name_that_is_taken_is_refused_with_one_that_is_free(restored: Json, export: Json, developer: Api) -> None:
    told = developer.refused("POST", f"/exports/{export['id']}/restore", {"name": AGAIN}, "name")
    assert f"{AGAIN}-2" in told["accepted"]
