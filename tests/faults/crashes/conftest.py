"""Crews of workers, and stages for the cases of a crash test."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest

from clusters.kubeconfig import kubeconfig_parse
from localkube import LocalHost, LocalKube, Tools
from tests.accounts.conftest import World, world_make
from tests.conftest import LOCAL_CHART
from tests.fakes.host import HELM, Certificates, FakeHost
from tests.faults.crashes.crew import Crew, crew_started
from tests.faults.crashes.matrix import Stages
from tests.faults.crashes.stage import Stage, stage_opened
from tests.faults.crashes.upgrading import OFFERED

HASTE = {
    "LEASE_SECONDS": "1",
    "HEARTBEAT_SECONDS": "0.25",
    "RETRY_BASE_SECONDS": "0.1",
    "RETRY_CAP_SECONDS": "0.5",
    "CHART_FOLDER": str(LOCAL_CHART),
    # with one whose image is nowhere
    "KUBERNETES_VERSIONS": ",".join(OFFERED),
    "LOG_LEVEL": "WARNING",
    # each of its writes is a place at which a worker is killed
    "MOVE_REVISIONS_AHEAD": "1",
    # there is no gateway
    "MOVE_KNOWN_SECONDS": "0",
    "MOVE_GATEWAYS_KNOW_SECONDS": "0",
}
FAKE_SECONDS, REAL_SECONDS = 30.0, 120.0
"""The most that one worker may take; many of them share two processors."""


@pytest.fixture
def world(transactional_db: None, settings) -> World:
    """Committed: workers are processes of their own. What is offered there is offered here."""
    settings.KUBERNETES_VERSIONS = list(OFFERED)
    return world_make()


@pytest.fixture(scope="package")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of all fake hosts."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="package")
def crew(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Workers that use the fake helm."""
    with crew_started(tmp_path_factory.mktemp("crew"), HELM_BINARY=str(HELM), **HASTE) as crew:
        yield crew


@pytest.fixture(scope="package")
def real_crew(django_db_setup: None, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Workers that use the real helm, which takes longer: so do their leases."""
    settings = {**HASTE, "HELM_BINARY": str(tools.helm), "LEASE_SECONDS": "2", "HEARTBEAT_SECONDS": "0.5"}
    with crew_started(tmp_path_factory.mktemp("real-crew"), **settings) as crew:
        yield crew


@pytest.fixture(scope="module")
def real_host(tools: Tools, run_folder: Path) -> Iterator[LocalHost]:
    """A host of their own: what Marina may do on the others, and did there, is looked at by other tests."""
    with LocalKube(folder=run_folder / "crashes", tools=tools) as local:
        yield local.start_all(("harbor-crash",))[0]


@pytest.fixture(scope="module")
def second_host(tools: Tools, run_folder: Path) -> Iterator[Callable[[], LocalHost]]:
    """Another one, started when a scenario moves something there."""
    with ExitStack() as until_the_end:

        @cache
        def started() -> LocalHost:
            local = until_the_end.enter_context(LocalKube(folder=run_folder / "crashes-to", tools=tools))
            return local.start_all(("harbor-crash-to",))[0]

        yield started


@pytest.fixture
def real_stages(
    world: World, real_crew: Crew, tools: Tools, real_host: LocalHost, second_host: Callable[[], LocalHost]
) -> Stages:
    """Opens a stage on a local host, and clears it afterwards."""

    def on(host: LocalHost, beside: Stage | None = None) -> AbstractContextManager[Stage]:
        admin = kubeconfig_parse(host.kubeconfig.read_text())
        return stage_opened(
            world=world, crew=real_crew, admin=admin, helm=tools.helm, seconds=REAL_SECONDS, beside=beside
        )

    @contextmanager
    def opened(two: bool) -> Iterator[Stage]:
        with ExitStack() as until_the_end:
            beside = until_the_end.enter_context(on(second_host())) if two else None
            yield until_the_end.enter_context(on(real_host, beside))

    return opened


@pytest.fixture
def stages(world: World, crew: Crew, certificates: Certificates) -> Stages:
    """Opens a stage with a fake host of its own."""

    @contextmanager
    def on_fake(beside: Stage | None = None) -> Iterator[Stage]:
        with (
            FakeHost(certificates) as fake,
            stage_opened(
                world=world,
                crew=crew,
                admin=fake.connection,
                helm=HELM,
                fake=fake,
                seconds=FAKE_SECONDS,
                beside=beside,
            ) as stage,
        ):
            yield stage

    @contextmanager
    def opened(two: bool) -> Iterator[Stage]:
        with ExitStack() as until_the_end:
            beside = until_the_end.enter_context(on_fake()) if two else None
            yield until_the_end.enter_context(on_fake(beside))

    return opened
