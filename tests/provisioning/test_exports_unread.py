"""What cannot be learnt or read of an API server is never taken for absent."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from provisioning.change_reading import MOST_MANAGERS, ChangeReading, TooManyObjects
from provisioning.drivers.errors import NotFound
from provisioning.drivers.kinds import API_SERVICE, Json, Kind
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.engine.errors import TemporaryError
from provisioning.exports.discovery import kinds_served
from provisioning.exports.reading import ClusterReading
from tests.fakes.host import Certificates, FakeHost

METRICS = {"metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": {"service": {"namespace": "kube-system"}}}


class Troubled(KubeClient):
    """A client of a fake server, some of whose answers are those of a server in trouble."""

    def trouble(self) -> None:
        self.discovered: dict[str, Json | Exception] = {}
        self.before_page: Callable[[Kind, str], None] = lambda kind, token: None
        self.services: dict[str, Json] = {}

    def discovery(self, path: str) -> Json:
        other = self.discovered.get(path)
        if isinstance(other, Exception):
            raise other
        return other or super().discovery(path)

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Json | None:
        return self.services.get(name) if kind == API_SERVICE else super().get(kind, name, namespace)

    def page(self, kind: Kind, *, limit: int = 2, token: str = "", metadata_only: bool = False) -> Json:
        self.before_page(kind, token)
        return super().page(kind, limit=2, token=token, metadata_only=metadata_only)

    def stale(self, *groups: str) -> Json:
        """What /apis says where nobody could ask these groups."""
        answer = super().discovery("/apis")
        for item in answer["items"]:
            if item["metadata"].get("name", "") in groups:
                item["versions"] = [{"version": each["version"], "freshness": "Stale"} for each in item["versions"]]
        return answer


@pytest.fixture
def fake(certificates: Certificates) -> Iterator[FakeHost]:
    with FakeHost(certificates) as host:
        yield host


@pytest.fixture
def kube(fake: FakeHost) -> Iterator[Troubled]:
    with connection_open(fake.connection, target="virtual cluster shop") as api:
        client = Troubled(api)
        client.trouble()
        client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        for number in range(5):
            named: dict[str, Any] = {"metadata": {"name": f"map-{number}", "namespace": "shop"}}
            client.apply({"apiVersion": "v1", "kind": "ConfigMap", **named, "data": {"a": "1"}})
        yield client


@pytest.mark.parametrize("version", ["v1", "apps/v1"])
def test_an_older_server_that_does_not_tell_one_of_its_own_versions_ends_the_reading(fake, kube, version):
    fake.cluster.version = "1.29.4"
    path = f"/apis/{version}" if "/" in version else f"/api/{version}"
    kube.discovered[path] = TemporaryError("It answered: etcdserver: leader changed", code="server-error")
    with pytest.raises(TemporaryError, match=f" {version} "):
        list(ClusterReading(kube))
    with pytest.raises(TemporaryError, match=f" {version} "):
        ChangeReading(kube, most=1000).writers()


def test_a_server_that_does_not_know_its_own_kinds_at_the_moment_ends_the_reading(kube):
    kube.discovered["/apis"] = kube.stale("apps")
    with pytest.raises(TemporaryError, match=" apps/v1 "):
        kinds_served(kube)


def test_an_api_server_of_its_own_that_does_not_answer_is_named(kube):
    answer, stale = kube.stale(), [{"version": "v1beta1", "freshness": "Stale"}]
    kube.discovered["/apis"] = {
        **answer,
        "items": [*answer["items"], {"metadata": {"name": "metrics.k8s.io"}, "versions": stale}],
    }
    kube.services["v1beta1.metrics.k8s.io"] = METRICS
    assert kinds_served(kube).silent == ("metrics.k8s.io/v1beta1",)
    reading = ClusterReading(kube)
    assert [each["metadata"]["name"] for each in reading if each["kind"] == "ConfigMap"]
    told = {entry["rule"]: entry for entry in reading.left_out.as_json()}
    assert [each["kind"] for each in told["API without an answer"]["first"]] == ["metrics.k8s.io/v1beta1"]


def absent(kind: Kind, token: str) -> None:
    """As a proxy answers in front of a server that starts again, or the server before it knows a definition."""
    if kind.kind == "ConfigMap" and token:
        raise NotFound("virtual cluster shop answered: default backend - 404", code="not-found")


def test_a_list_that_is_not_there_in_the_middle_is_no_end_of_it_as_long_as_its_kind_is_served(kube):
    kube.before_page = absent
    with pytest.raises(NotFound):
        list(ClusterReading(kube))
    with pytest.raises(NotFound):
        ChangeReading(kube, most=1000).writers()


def test_a_kind_whose_definition_is_deleted_meanwhile_is_passed_over(kube):
    def deleted(kind: Kind, token: str) -> None:
        if kind.group == "apps":
            answer = kube.stale()
            left = [item for item in answer["items"] if item["metadata"].get("name") != "apps"]
            kube.discovered["/apis"] = {**answer, "items": left}
            raise NotFound("the server could not find the requested resource", code="not-found")

    kube.before_page = deleted
    assert "v1/ConfigMap" in {f"{each['apiVersion']}/{each['kind']}" for each in ClusterReading(kube)}


def test_where_more_managers_write_than_are_told_apart_nobody_says_that_it_is_unused(kube):
    """The last of them is a person's."""
    time = "2026-11-26T10:00:00Z"
    names = [*(f"build-{number}" for number in range(MOST_MANAGERS)), "kubectl"]
    items = [{"metadata": {"name": name, "managedFields": [{"manager": name, "time": time}]}} for name in names]
    kube.page = lambda kind, **_: {"items": items if kind.kind == "ConfigMap" else []}
    with pytest.raises(TooManyObjects):
        ChangeReading(kube, most=10_000).writers()
