"""A real host for the drivers to work on, and a namespace of it for each test."""

import base64
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from clusters.connection import HostConnection
from localkube import LocalHost, Tools
from provisioning.drivers.helm import HelmClient
from provisioning.drivers.kinds import NAMESPACE
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import ApiConnection, connection_open

CHART = Path(__file__).parent / "chart"


@pytest.fixture(scope="session")
def host(local_hosts: Mapping[str, LocalHost]) -> HostConnection:
    """The admin's connection to a local host."""
    return connection_of(local_hosts["harbor-east"].kubeconfig)


@pytest.fixture(scope="session")
def api(host: HostConnection) -> Iterator[ApiConnection]:
    with connection_open(host, target="host harbor-east") as opened:
        yield opened


@pytest.fixture(scope="session")
def kube(api: ApiConnection) -> KubeClient:
    return KubeClient(api)


@pytest.fixture
def namespace(kube: KubeClient) -> Iterator[str]:
    name = f"drivers-{uuid.uuid4().hex[:8]}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kube.delete(NAMESPACE, name)


@pytest.fixture
def helm_client(tools: Tools, host: HostConnection, helm_folder: Path) -> Callable[..., HelmClient]:
    def make(**options) -> HelmClient:
        return HelmClient(tools.helm, options.pop("connection", host), helm_folder, **options)

    return make


@pytest.fixture(scope="session")
def helm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("helm")


def connection_of(kubeconfig: Path) -> HostConnection:
    document = yaml.safe_load(kubeconfig.read_text())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    return HostConnection(
        server=cluster["server"],
        ca_pem=_decoded(cluster.get("certificate-authority-data")),
        client_certificate_pem=_decoded(user.get("client-certificate-data")),
        client_key_pem=_decoded(user.get("client-key-data")),
        token=user.get("token", ""),
    )


def _decoded(value: str | None) -> str:
    return base64.b64decode(value).decode() if value else ""
