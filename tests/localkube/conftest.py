"""One host for all tests that do not need one of their own, and virtual clusters on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localkube import LocalHost, LocalKube, Tools, ensure_tools
from tests.localkube.driving import VirtualCluster

MakeCluster = Callable[[str], VirtualCluster]


@pytest.fixture(scope="package")
def tools() -> Tools:
    return ensure_tools(print)


@pytest.fixture(scope="package")
def host(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHost]:
    with LocalKube(folder=tmp_path_factory.mktemp("hosts"), tools=tools) as kube:
        yield kube.start("shared", audit=True)


@pytest.fixture
def new_cluster(host: LocalHost, tools: Tools) -> Iterator[MakeCluster]:
    """Names a virtual cluster in a namespace of its own, which is made; nothing is installed yet."""
    made: list[VirtualCluster] = []

    def make(name: str) -> VirtualCluster:
        made.append(_named(name, host, tools))
        return made[-1]

    yield make
    for cluster in made:  # its processes would only slow down the other tests
        cluster.on_host("delete", "namespace", cluster.namespace, "--wait=false")


@pytest.fixture(scope="package")
def hello(host: LocalHost, tools: Tools) -> VirtualCluster:
    """One that runs all the time, for facts that leave it as it is."""
    cluster = _named("hello", host, tools)
    cluster.install()
    cluster.wait_ready()
    return cluster


def _named(name: str, host: LocalHost, tools: Tools) -> VirtualCluster:
    cluster = VirtualCluster(host, tools, name, f"marina-{name}")
    cluster.on_host("create", "namespace", cluster.namespace)
    return cluster


@pytest.fixture
def kube(tools: Tools, tmp_path: Path) -> Iterator[LocalKube]:
    """For tests that start and end hosts of their own."""
    with LocalKube(folder=tmp_path / "hosts", tools=tools) as kube:
        yield kube
