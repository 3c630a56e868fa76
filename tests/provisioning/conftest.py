"""What tests of flows on a fake host share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusters.models import Exposure, HostCluster
from tests.accounts.conftest import world_make
from tests.conftest import LOCAL_CHART
from tests.fakes.host import HELM, Certificates, FakeHost
from tests.provisioning.hosts import host_at
from tests.provisioning.lost import Loss
from tests.provisioning.shops import Shop, api_groups, provisioned


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def shop(db, certificates: Certificates, settings, tmp_path: Path) -> Iterator[Shop]:
    settings.HELM_BINARY, settings.CHART_FOLDER = str(HELM), str(LOCAL_CHART)
    settings.STATE_FOLDER = tmp_path / "state"
    settings.RETRY_BASE_SECONDS, settings.RETRY_CAP_SECONDS, settings.ATTEMPT_LIMIT = 0.01, 0.02, 3
    folder = tmp_path / "exports"
    backend = {"BACKEND": "clusters.exports.folder.ExportFolder", "OPTIONS": {"location": str(folder)}}
    settings.STORAGES = {**settings.STORAGES, "exports": backend}
    world = world_make()
    with FakeHost(certificates) as fake:
        host = host_at(fake.connection, api_groups=api_groups(fake), exposure=Exposure.LOCAL)
        yield Shop(world, fake, provisioned(world, host), folder)


@pytest.fixture
def loss(shop: Shop, certificates: Certificates) -> Iterator[Loss]:
    """The shop, and a second host that can take it."""
    with FakeHost(certificates) as fake:
        west = host_at(fake.connection, "west", api_groups=api_groups(fake), exposure=Exposure.LOCAL)
        yield Loss(shop, HostCluster.objects.get(name="east"), west, fake)
