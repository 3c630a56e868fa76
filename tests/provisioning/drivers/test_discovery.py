"""What an API server says it serves, all at once or one version after the other, and lists page by page."""

import pytest

from dev.waiting import wait_until
from provisioning.drivers.errors import NotFound
from provisioning.drivers.kinds import CONFIG_MAP, DEPLOYMENT, NAMESPACE, ROLE_BINDING, SECRET, Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.exports.discovery import kinds_served
from provisioning.exports.reading import ClusterReading
from tests.provisioning.drivers.conftest import only_real

DEFINITION = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
TRAINS = Kind("export.example.com/v1", "Train", "trains", namespaced=True)


def test_builtin_kinds_are_served_and_reviews_cannot_be_listed(kube):
    served = kinds_served(kube)
    assert {CONFIG_MAP, NAMESPACE, SECRET, DEPLOYMENT, ROLE_BINDING} <= set(served.kinds)
    assert served.silent == ()
    assert not {kind for kind in served.kinds if kind.kind.endswith("Review")}
    assert len({(kind.group, kind.plural) for kind in served.kinds}) == len(served.kinds)


def test_asked_version_by_version_it_is_the_same(kube, monkeypatch):
    at_once = kinds_served(kube)
    monkeypatch.setattr("provisioning.drivers.kube.AGGREGATED", "application/json")
    assert kinds_served(kube) == at_once


def test_pages_are_as_the_server_gives_them(kube, namespace):
    for number in range(3):
        meta = {"name": f"x{number}", "namespace": namespace}
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    first = kube.page(CONFIG_MAP, limit=1)
    assert len(first["items"]) == 1
    second = kube.page(CONFIG_MAP, limit=1, token=first["metadata"]["continue"])
    assert second["items"][0]["metadata"]["uid"] != first["items"][0]["metadata"]["uid"]
    with pytest.raises(NotFound):
        kube.page(Kind("example.com/v1", "Absent", "absents", namespaced=True))


@only_real
def test_what_a_user_put_there_is_read_own_kinds_too_and_what_the_server_made_is_not(kube: KubeClient, namespace):
    """On a server with all its controllers, which write what the fakes do not."""
    made = {
        "apiVersion": DEFINITION.api_version,
        "kind": DEFINITION.kind,
        "metadata": {"name": "trains.export.example.com"},
    }
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": schema},
        {"name": "v1alpha1", "served": True, "storage": False, "schema": schema},
    ]
    names = {"plural": "trains", "kind": "Train"}
    spec = {"group": "export.example.com", "scope": "Namespaced", "names": names, "versions": versions}
    kube._effect("kube.create", "POST", DEFINITION.path(), {**made, "spec": spec})
    try:
        kube.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "door", "namespace": namespace}})
        train = {"apiVersion": TRAINS.api_version, "kind": "Train", "metadata": {"name": "ice"}, "spec": {"cars": 7}}
        eventually_posted(kube, TRAINS.path(namespace=namespace), train)
        reading = ClusterReading(kube)
        found = {(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in reading}
        assert {
            ("Namespace", "", namespace),
            ("Secret", namespace, "door"),
            ("Train", namespace, "ice"),
            ("CustomResourceDefinition", "", "trains.export.example.com"),
        } <= found
        theirs = {
            each for each in found if "kube-" in each[1] or each[2].startswith(("kube-", "system:", "kubernetes"))
        }
        # what the stand-in itself puts on a host is no part of Kubernetes
        assert {each for each in theirs if "localkube" not in each[2]} == set()
        assert not {each for each in found if each[2] in ("default", "catch-all", "v1.apps", "kube-root-ca.crt")}
    finally:
        kube.delete(DEFINITION, "trains.export.example.com")


def eventually_posted(kube: KubeClient, path: str, manifest: Json) -> None:
    """A definition is served a moment after it was made."""

    def posted() -> bool:
        try:
            kube._effect("kube.create", "POST", path, manifest)
        except NotFound:
            return False
        return True

    wait_until(posted, seconds=20, what="the definition was not served")
