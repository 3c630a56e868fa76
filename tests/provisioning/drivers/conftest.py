"""Hosts for the drivers to work on, and a namespace for each test.

What tests promise here they promise of a real API server and of the fake alike, so that the crash tests, which run on
fakes, mean something. `only_real` marks what the fakes leave out.
"""

import base64
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from clusters.connection import HostConnection
from localkube import LocalHost, Tools
from provisioning.drivers.helm import HelmClient
from provisioning.drivers.kinds import NAMESPACE
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import ApiConnection, connection_open
from tests.fakes.host import HELM

CHART = Path(__file__).parent / "chart"
ROOT = Path(__file__).parents[3]

only_real = pytest.mark.parametrize("backend", ["real"], indirect=True)


@dataclass(frozen=True)
class Backend:
    """What the drivers speak to: an administrator's connection, and the helm that works on it."""

    host: HostConnection
    helm: Path


@pytest.fixture(scope="package", params=["real", "fake"])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A local host and the real helm; then the fakes of both."""
    if request.param == "real":
        local: Mapping[str, LocalHost] = request.getfixturevalue("local_hosts")
        tools: Tools = request.getfixturevalue("tools")
        yield Backend(connection_of(local["harbor-east"].kubeconfig), tools.helm)
        return
    with fake_process(tmp_path_factory.mktemp("fake-host")) as connection:
        yield Backend(connection, HELM)


@contextmanager
def fake_process(folder: Path) -> Iterator[HostConnection]:
    """Not in this process: some tests count its descriptors and threads."""
    command = [sys.executable, "-m", "tests.fakes", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        yield HostConnection.from_json(process.stdout.readline())
        process.stdin.close()


@pytest.fixture(scope="package")
def host(backend: Backend) -> HostConnection:
    """The admin's connection."""
    return backend.host


@pytest.fixture(scope="package")
def api(host: HostConnection) -> Iterator[ApiConnection]:
    with connection_open(host, target="host harbor-east") as opened:
        yield opened


@pytest.fixture(scope="package")
def kube(api: ApiConnection) -> KubeClient:
    return KubeClient(api)


@pytest.fixture
def namespace(kube: KubeClient) -> Iterator[str]:
    name = f"drivers-{uuid.uuid4().hex[:8]}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kube.delete(NAMESPACE, name)


@pytest.fixture
def helm_client(backend: Backend, helm_folder: Path) -> Callable[..., HelmClient]:
    def make(**options) -> HelmClient:
        return HelmClient(backend.helm, options.pop("connection", backend.host), helm_folder, **options)

    return make


@pytest.fixture(scope="package")
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
