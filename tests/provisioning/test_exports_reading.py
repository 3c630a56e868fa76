"""What is read of a virtual cluster for an export: everything a user owns, once, and nothing else."""

from collections.abc import Iterator

import pytest

from provisioning.drivers.kinds import CONFIG_MAP, EVENT, NAMESPACE, POD, SECRET, SERVICE_ACCOUNT
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from provisioning.exports.discovery import kinds_served
from provisioning.exports.reading import ClusterReading
from tests.fakes.host import Certificates, FakeHost


@pytest.fixture
def fake(certificates: Certificates) -> Iterator[FakeHost]:
    with FakeHost(certificates) as host:
        yield host


@pytest.fixture
def kube(fake: FakeHost) -> Iterator[KubeClient]:
    with connection_open(fake.connection, target="virtual cluster shop") as api:
        yield KubeClient(api)


@pytest.fixture
def shop(kube: KubeClient) -> None:
    """A namespace of a user with 25 maps, a secret and a pod without a controller."""
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    for number in range(25):
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", **named(f"map-{number:02d}"), "data": {"a": "1"}})
    kube.apply({"apiVersion": "v1", "kind": "Secret", **named("door"), "stringData": {"key": "of-the-shop"}})
    kube.apply({"apiVersion": "v1", "kind": "Pod", **named("alone"), "spec": {}})


def named(name: str) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "shop"}}


def names(found: list[dict[str, object]], kind: str) -> list[str]:
    return [each["metadata"]["name"] for each in found if each["kind"] == kind]  # type: ignore[index]


@pytest.mark.parametrize("version", ["1.36.3", "1.29.4"])
def test_each_kind_that_can_be_listed_and_created_is_found_once(fake, kube, version):
    fake.cluster.version = version  # an older one does not tell all at once
    served = kinds_served(kube)
    assert {NAMESPACE, POD, SECRET, CONFIG_MAP, SERVICE_ACCOUNT, EVENT} <= set(served.kinds)
    assert len({(kind.group, kind.plural) for kind in served.kinds}) == len(served.kinds)
    assert not {"SelfSubjectReview", "SelfSubjectAccessReview"} & {kind.kind for kind in served.kinds}
    assert served.silent == ()


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("forgetful", [False, True])
@pytest.mark.parametrize("limit", [3, 200])
def test_every_object_of_a_user_is_read_once_however_long_lists_are(fake, kube, limit, forgetful):
    fake.cluster.forgetful = forgetful
    reading = ClusterReading(kube, limit=limit)
    found = list(reading)
    assert names(found, "ConfigMap") == [f"map-{number:02d}" for number in range(25)]
    assert (names(found, "Namespace"), names(found, "Secret"), names(found, "Pod")) == (["shop"], ["door"], ["alone"])
    assert reading.counts["v1/ConfigMap"] == 25
    assert reading.versions["ConfigMap"] == "v1"
    assert len(reading.digests) == len(found) == sum(reading.counts.values())
    assert "v1/Secret/shop/door" in reading.digests


@pytest.mark.usefixtures("shop")
def test_what_the_cluster_made_itself_is_left_out_and_named_with_the_reason(kube):
    reading = ClusterReading(kube)
    assert not {"kube-system", "default", "kube-root-ca.crt"} & {each["metadata"]["name"] for each in reading}
    told = {entry["rule"]: entry for entry in reading.left_out.as_json()}
    assert told["kube-root-ca.crt"]["count"] == 5
    assert {"kind": "ConfigMap", "namespace": "shop", "name": "kube-root-ca.crt"} in told["kube-root-ca.crt"]["first"]
    assert told["default, where nobody changed it"]["count"] == 5
    assert all(entry["reason"].endswith(".") for entry in told.values())
    assert {"kind": "Event", "namespace": "", "name": "*"} in told["all"]["first"]


def test_of_many_left_out_the_first_twenty_are_named(kube):
    for number in range(30):
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"room-{number:02d}"}})
    reading = ClusterReading(kube)
    assert len(names(list(reading), "Namespace")) == 30
    told = {entry["rule"]: entry for entry in reading.left_out.as_json()}["kube-root-ca.crt"]
    assert (told["count"], len(told["first"])) == (34, 20)


@pytest.mark.usefixtures("shop")
def test_it_can_be_ended_before_each_page(kube):
    pages = 0

    def third() -> None:
        nonlocal pages
        pages += 1
        if pages == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        list(ClusterReading(kube, before_page=third))


@pytest.mark.usefixtures("shop")
def test_objects_are_as_the_api_gave_them_without_the_books_of_field_managers(kube):
    secret = next(each for each in ClusterReading(kube) if each["kind"] == "Secret")
    served = kube.get(SECRET, "door", "shop")
    assert served
    del served["metadata"]["managedFields"]
    assert secret == served
