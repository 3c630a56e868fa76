"""A real API server, to make objects again in."""

from collections.abc import Iterator, Mapping

import pytest

from localkube import LocalHost
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from tests.provisioning.drivers.conftest import connection_of


@pytest.fixture(scope="package")
def real(local_hosts: Mapping[str, LocalHost]) -> Iterator[KubeClient]:
    """The administrator of a local host."""
    with connection_open(connection_of(local_hosts["harbor-west"].kubeconfig), target="host harbor-west") as api:
        yield KubeClient(api)
