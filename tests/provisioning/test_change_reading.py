"""Who wrote in a real API server's objects is read from metadata only, and what is no use is not even listed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from clusters.services.known_writers import Written
from provisioning.change_reading import LEFT_OUT, ChangeReading, TooManyObjects
from provisioning.drivers.calls import APPLY_PATCH, JSON, MERGE_PATCH
from provisioning.drivers.kinds import CONFIG_MAP, NAMESPACE, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from tests.provisioning.drivers.conftest import connection_of

LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases", namespaced=True)


@pytest.fixture(scope="module")
def kube(local_hosts) -> Iterator[KubeClient]:
    with connection_open(connection_of(local_hosts["harbor-east"].kubeconfig), target="host harbor-east") as api:
        yield KubeClient(api)


@pytest.fixture
def namespace(kube) -> Iterator[str]:
    name = f"writing-{uuid4().hex[:8]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kube.delete(NAMESPACE, name)


def write(kube: KubeClient, manager: str, manifest: dict[str, Any], kind: Kind, *, subresource: str = "") -> None:
    """As somebody of this name does it: by server-side apply, which says when."""
    meta = manifest["metadata"]
    path = kind.path(namespace=meta.get("namespace"), name=meta["name"], subresource=subresource)
    query = {"fieldManager": manager, "force": "true"}
    kube._send("PATCH", path, query, body=manifest, content_type=APPLY_PATCH, accept=JSON)


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def read(kube: KubeClient, *, most: int = 20_000) -> dict[str, Written]:
    return {each.manager: each for each in ChangeReading(kube, most=most).writers()}


def test_each_manager_is_found_with_when_and_what_it_wrote_last(kube, namespace):
    began = datetime.now(UTC) - timedelta(seconds=2)
    tag = uuid4().hex[:8]
    for number in range(3):
        write(kube, f"helm-{tag}", config_map(namespace, f"c-{number}", a="b"), CONFIG_MAP)
    write(kube, f"kubectl-{tag}", config_map(namespace, "c-1", more="b"), CONFIG_MAP)
    found = read(kube)
    assert found[f"kubectl-{tag}"].wrote == f"ConfigMap {namespace}/c-1"
    assert found[f"helm-{tag}"].kinds == ("ConfigMap",)
    assert began <= found[f"helm-{tag}"].last <= datetime.now(UTC) + timedelta(seconds=2)


def test_who_patches_what_somebody_else_made_is_found(kube, namespace):
    tag = uuid4().hex[:8]
    kube.create(config_map(namespace, "state", turn="0"))
    path, query = CONFIG_MAP.path(namespace=namespace, name="state"), {"fieldManager": f"patching-{tag}"}
    for turn in ("1", "2"):
        kube._send("PATCH", path, query, body={"data": {"turn": turn}}, content_type=MERGE_PATCH)
    assert read(kube)[f"patching-{tag}"].kinds == ("ConfigMap",)


def test_status_and_leases_are_not_read(kube, namespace):
    tag = uuid4().hex[:8]
    metadata = {"name": "leader", "namespace": namespace}
    write(
        kube,
        f"leading-{tag}",
        {"apiVersion": LEASE.api_version, "kind": "Lease", "metadata": metadata, "spec": {"holderIdentity": "me"}},
        LEASE,
    )
    status: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    status["status"] = {"conditions": [{"type": "Told", "status": "True"}]}
    write(kube, f"telling-{tag}", status, NAMESPACE, subresource="status")
    write(kube, f"labelling-{tag}", {**status, "metadata": {"name": namespace, "labels": {"a": "b"}}}, NAMESPACE)
    found = read(kube)
    assert f"labelling-{tag}" in found
    assert not {f"leading-{tag}", f"telling-{tag}"} & set(found)


def test_what_is_left_out_has_a_reason() -> None:
    assert all(reason.endswith(".") for reason in LEFT_OUT.values())
    assert {plural for _, plural in LEFT_OUT} == {"leases", "events", "endpoints", "endpointslices"}


def test_a_cluster_with_more_objects_than_are_looked_at_is_told_so(kube):
    with pytest.raises(TooManyObjects, match="more than 20 objects"):
        read(kube, most=20)


def test_long_lists_are_read_page_by_page(kube, namespace, monkeypatch):
    tag = uuid4().hex[:8]
    for number in range(7):
        write(kube, f"many-{tag}-{number}", config_map(namespace, f"c-{number}", a="b"), CONFIG_MAP)
    pages: list[str] = []
    page = kube.page

    def small(kind: Kind, *, limit: int = 3, token: str = "", metadata_only: bool) -> dict[str, Any]:
        pages.append(kind.plural)
        found: dict[str, Any] = page(kind, limit=3 if limit else 0, token=token, metadata_only=metadata_only)
        return found

    monkeypatch.setattr(kube, "page", small)
    found = read(kube)
    assert {f"many-{tag}-{number}" for number in range(7)} <= set(found)
    assert pages.count("configmaps") >= 3


class Said:
    """An API server that says anything."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def discovery(self, path: str) -> dict[str, Any]:
        if path == "/api":
            return {"versions": ["v1"]}
        if path == "/apis":
            return {"groups": []}
        return {
            "resources": [{"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": ["list", "create"]}]
        }

    def page(self, kind: Kind, *, limit: int = 0, token: str = "", metadata_only: bool) -> dict[str, Any]:
        assert metadata_only
        return {"items": [{"metadata": {"name": "a", "managedFields": list(self.items)}}]}


@pytest.mark.parametrize(
    "entry",
    [
        {"manager": "x", "time": None},
        {"manager": "x", "time": "yesterday"},
        {"manager": "x", "time": "99999-01-01T00:00:00Z"},
        {"manager": "", "time": "2026-01-01T00:00:00Z"},
        {"manager": None, "time": "2026-01-01T00:00:00Z"},
        {"manager": "a\nb\x00", "time": "2026-01-01T00:00:00Z"},
        {"time": "2026-01-01T00:00:00Z"},
        {},
    ],
)
def test_what_cannot_be_read_is_passed_over(entry):
    good = {"manager": "helm", "time": "2026-01-01T00:00:00Z"}
    found = ChangeReading(Said(entry, good), most=9).writers()  # type: ignore[arg-type]
    assert [each.manager for each in found] == ["helm"]
