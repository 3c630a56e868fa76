"""A virtual API is reached by port-forward through its host's, and nothing is left open after it."""

import base64
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from clusters.connection import HostConnection
from provisioning.drivers.helm import HelmClient
from provisioning.drivers.kinds import CONFIG_MAP, NAMESPACE, POD, SECRET
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import ApiConnection, connection_open, virtual_transport
from provisioning.engine.errors import PermanentError, StepError, TemporaryError
from tests.provisioning.drivers.conftest import Backend
from tests.provisioning.drivers.fault_servers import certificate_pem
from tests.provisioning.drivers.processes import left_open, nothing_more_open

Found = TypeVar("Found")
VCLUSTER = Path(__file__).parents[3] / "localkube" / "charts" / "vcluster"


@pytest.fixture(scope="module")
def virtual(api: ApiConnection, kube: KubeClient, backend: Backend, helm_folder: Path):
    """Namespace and connection of a virtual cluster, ready."""
    namespace = f"drivers-virtual-{uuid.uuid4().hex[:8]}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    HelmClient(backend.helm, backend.host, helm_folder).upgrade_install("hello", VCLUSTER, namespace, {}, 60)
    connection = eventually(lambda: virtual_connection(kube, namespace))
    eventually(lambda: is_ready(api, namespace, connection))
    yield namespace, connection
    kube.delete(NAMESPACE, namespace)


def virtual_connection(kube: KubeClient, namespace: str) -> HostConnection | None:
    secret = kube.get(SECRET, "vc-hello", namespace)
    if secret is None:
        return None
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    return HostConnection(
        server="https://localhost:8443",
        ca_pem=data["certificate-authority"],
        client_certificate_pem=data["client-certificate"],
        client_key_pem=data["client-key"],
    )


def is_ready(api: ApiConnection, namespace: str, connection: HostConnection) -> bool:
    try:
        with virtual_transport(api, namespace, "hello-0", connection=connection) as inside:
            return KubeClient(inside).readyz()
    except TemporaryError:
        return False


def eventually(look: Callable[[], Found | None], seconds: float = 60) -> Found:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def test_the_virtual_api_is_reached_through_the_hosts(api, virtual):
    namespace, connection = virtual
    KubeClient(api).version()
    before = left_open()
    with virtual_transport(api, namespace, "hello-0", connection=connection, name="hello") as inside:
        kube = KubeClient(inside)
        assert "system:masters" in kube.self_subject().groups
        while_open = left_open()
        big = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big", "namespace": "default"}}
        kube.apply({**big, "data": {"a": "x" * 700_000}})
        assert len((kube.get(CONFIG_MAP, "big", "default") or {})["data"]["a"]) == 700_000
        assert left_open() == while_open  # one connection served them all, and it has no thread
        assert while_open == (before[0] + 1, before[1])
    nothing_more_open(before)


def test_many_threads_share_a_virtual_api_and_leave_nothing_open(api, virtual):
    namespace, connection = virtual
    KubeClient(api).version()
    before = left_open()
    failures: list[StepError] = []

    def look(kube: KubeClient) -> None:
        try:
            for _ in range(10):
                assert kube.get(NAMESPACE, "default")
        except StepError as error:
            failures.append(error)

    with virtual_transport(api, namespace, "hello-0", connection=connection) as inside:
        threads = [threading.Thread(target=look, args=(KubeClient(inside),)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    nothing_more_open(before)


def test_a_virtual_api_with_another_authority_is_not_trusted(api, virtual):
    namespace, connection = virtual
    KubeClient(api).version()
    before = left_open()
    stranger = HostConnection(server=connection.server, ca_pem=certificate_pem("127.0.0.1")[0], token="x")
    with (
        virtual_transport(api, namespace, "hello-0", connection=stranger) as inside,
        pytest.raises(PermanentError) as raised,
    ):
        KubeClient(inside).version()
    assert raised.value.code == "certificate"
    nothing_more_open(before)


@pytest.mark.parametrize(("pod", "port"), [("absent-0", 8443), ("hello-0", 9999)])
def test_a_pod_that_cannot_be_reached_is_unreachable_and_nothing_inside_counts_as_absent(api, virtual, pod, port):
    namespace, connection = virtual
    KubeClient(api).version()
    before = left_open()
    with (
        virtual_transport(api, namespace, pod, port, connection=connection) as inside,
        pytest.raises(TemporaryError) as raised,
    ):
        KubeClient(inside).get(CONFIG_MAP, "x", "default")
    assert raised.value.code == "unreachable"
    assert f"{namespace}/{pod}" in raised.value.message
    nothing_more_open(before)


def test_a_missing_right_to_forward_is_named_as_such(api, host, kube, virtual):
    namespace, connection = virtual
    robot = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": namespace}}
    kube.apply(robot)
    token, _ = kube.token_request(namespace, "robot", 600)
    with (
        connection_open(HostConnection(server=host.server, ca_pem=host.ca_pem, token=token), target="host x") as weak,
        virtual_transport(weak, namespace, "hello-0", connection=connection) as inside,
        pytest.raises(PermanentError) as raised,
    ):
        KubeClient(inside).version()
    assert raised.value.code == "forbidden"
    assert "pods/portforward" in raised.value.hint


def test_a_forward_that_broke_is_opened_again(api, kube, virtual):
    namespace, connection = virtual
    with virtual_transport(api, namespace, "hello-0", connection=connection) as inside:
        assert KubeClient(inside).readyz()
        old = kube.get(POD, "hello-0", namespace)["metadata"]["uid"]
        kube.delete(POD, "hello-0", namespace, grace=0)
        eventually(
            lambda: (kube.get(POD, "hello-0", namespace) or {}).get("metadata", {}).get("uid") not in (None, old)
        )
        eventually(lambda: came_back(KubeClient(inside)))


def came_back(kube: KubeClient) -> bool:
    try:
        return kube.readyz()
    except TemporaryError:
        return False
