"""Hosts for a rollout over many: fakes, and real API servers with the real helm."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from clusters.models import Exposure, HostCluster, Placement
from localkube import LocalHost, Tools
from provisioning.drivers.kinds import NAMESPACE
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from tests.accounts.conftest import World, world_make
from tests.e2e.moving_here import scene_settings
from tests.fakes.host import HELM, Certificates, FakeHost
from tests.faults.rollouts.fleet import NEW, OLD, Fleet
from tests.provisioning.drivers.conftest import connection_of
from tests.provisioning.hosts import host_at
from tests.provisioning.shops import api_groups

FAKES = 5


@dataclass
class Hosts:
    """Of both kinds, and the fleet that is to live there."""

    fleet: Fleet
    fakes: list[HostCluster]
    real: HostCluster


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def world(db: None, settings, tools: Tools, tmp_path: Path) -> World:
    scene_settings(settings, tools, tmp_path)
    settings.KUBERNETES_VERSIONS = [NEW, OLD]
    settings.RETRY_BASE_SECONDS, settings.RETRY_CAP_SECONDS = 0.05, 0.2
    return world_make()


@pytest.fixture
def hosts(
    world: World, settings, certificates: Certificates, local_hosts: Mapping[str, LocalHost], tools: Tools
) -> Iterator[Hosts]:
    local = connection_of(local_hosts["harbor-west"].kubeconfig)
    with ExitStack() as until_the_end:
        fakes = [until_the_end.enter_context(FakeHost(certificates)) for _ in range(FAKES)]
        rows = [
            host_at(each.connection, f"fake-{number}", api_groups=api_groups(each), exposure=Exposure.LOCAL)
            for number, each in enumerate(fakes)
        ]
        kube = KubeClient(until_the_end.enter_context(connection_open(local, target="host of the test")))
        real = host_at(local, "real", api_groups=kube.api_groups(), exposure=Exposure.LOCAL)
        until_the_end.callback(_cleared, real, kube.delete)
        yield Hosts(Fleet(world, settings, {"fake": HELM, "real": tools.helm}), rows, real)


def _cleared(host: HostCluster, delete: Callable[..., object]) -> None:
    for namespace in Placement.objects.filter(host=host).values_list("namespace", flat=True):
        delete(NAMESPACE, namespace)
