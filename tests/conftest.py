"""What tests may ask for. Each starts on first use and ends with the run, also when the run is killed.

- `db` (pytest-django): a database in this process, for unit tests; `backing` started it.
- `tools`, `local_hosts`: kubectl, helm and so on; two real host clusters, harbor-east and harbor-west.
- `stack`: a whole Marina in processes of its own, with a database of its own in which everything is committed.
- `people`, `marina`, `platform`: who can log in there, and the `marina` command as a developer and as platform staff.
- `inside_of`: kubectl on a virtual cluster of that Marina, with a kubeconfig that was issued to the developer.
- `hosts`: hosts connected to that Marina: the local ones, or the one of `make e2e-host KUBECONFIG=file`.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dev.backing import Backing, backing_of
from dev.demo_people import DemoPeople, demo_people_make
from dev.port_forward import port_forward
from dev.processes import Processes
from dev.stack import Stack, StackPlan
from dev.static_files import collect_static
from localkube import LocalHost, LocalKube, Tools, ensure_tools
from localkube.ports import free_ports
from tests.canaries import canary, kubeconfig_canaries, nowhere_in
from tests.commands import Kubectl, Marina
from tests.plugin import BACKING, GIVEN_SETTINGS, PROCESSES, RUN_FOLDER, TOLD

LOCAL_HOSTS = ("harbor-east", "harbor-west")
LOCAL_CHART = Path(__file__).parent.parent / "localkube" / "charts" / "vcluster"


@dataclass(frozen=True)
class TestHost:
    """A host for journeys: its name in Marina, and its administrator's kubectl."""

    __test__ = False
    name: str
    kubeconfig: Path
    exposure: str
    kubectl: Kubectl


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Puts a line at the end of the run's output, whichever of its processes ran the test."""
    return partial(record_property, TOLD)


@pytest.fixture(scope="session")
def run_folder(pytestconfig: pytest.Config) -> Path:
    """Where this run keeps its data and logs."""
    return pytestconfig.stash[RUN_FOLDER]


@pytest.fixture(scope="session")
def processes(pytestconfig: pytest.Config) -> Processes:
    """The processes of this run, by name; what starts there ends with the run."""
    return pytestconfig.stash[PROCESSES]


@pytest.fixture(scope="session")
def backing(pytestconfig: pytest.Config) -> Backing:
    """Database and broker, running."""
    backing = pytestconfig.stash[BACKING]
    backing.start()
    if backing.postgres:
        backing.postgres.ensure_database("marina")
    return backing


@pytest.fixture(scope="session")
def django_db_setup(backing: Backing, django_db_setup: None, django_db_blocker: Any) -> None:
    """pytest-django's own, after the server runs. Between tests that commit it empties tables, the audit log too."""
    from django.db import connection

    from accounts.models.audit_seals import APPEND_ONLY

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for model in APPEND_ONLY:
            cursor.execute(f"ALTER TABLE {model._meta.db_table} DISABLE TRIGGER audit_keep_all")


@pytest.fixture(autouse=True)
def _no_secret_in_the_audit_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Of what a test with a database wrote, before it is rolled back: audit rows and stored answers."""
    if "db" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("db")
    yield
    from accounts.models import AuditEvent, IdempotentRequest

    nowhere_in(AuditEvent.objects.values_list(), "the audit log")
    nowhere_in(IdempotentRequest.objects.values_list(), "stored answers")


@pytest.fixture(scope="session")
def tools() -> Tools:
    """kubectl, helm and the programs of local hosts; built once on this machine when they are missing."""
    return ensure_tools(print)


@pytest.fixture(scope="session")
def local_hosts(tools: Tools, run_folder: Path) -> Iterator[Mapping[str, LocalHost]]:
    """Two real host clusters by name, which write audit logs."""
    with LocalKube(folder=run_folder / "localkube", tools=tools) as local:
        yield {host.name: host for host in local.start_all(LOCAL_HOSTS, audit=True)}


@pytest.fixture(scope="session")
def stack(
    pytestconfig: pytest.Config, backing: Backing, tools: Tools, run_folder: Path, processes: Processes
) -> Iterator[Stack]:
    """A running Marina: web server, worker and beat."""
    own = backing
    if not (own.postgres and own.valkey):  # journeys commit: they stay out of servers that were configured
        own = backing_of(folder=run_folder / "stack", processes=processes, database="marina", configured={})
        own.start()
    assert own.postgres
    assert own.valkey
    plan = StackPlan(
        folder=run_folder / "stack",
        owner_url=own.postgres.create_database("marina_e2e"),
        database_url=own.postgres.application_url("marina_e2e"),
        broker_url=own.valkey.url(1),
        port=free_ports(1)[0],
        helm=tools.helm,
        settings=_stack_settings(pytestconfig),
    )
    stack = Stack(plan, processes)
    for name in ("DJANGO_SECRET_KEY", "MARINA_ENCRYPTION_KEYS"):
        canary(stack.environment[name], f"the stack's {name}")
    collect_static(stack)
    stack.migrate()
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def people(stack: Stack) -> DemoPeople:
    """Who can log in to `stack`, with passwords."""
    return demo_people_make(stack)


@pytest.fixture(scope="session")
def marina_of(stack: Stack, tools: Tools, run_folder: Path) -> Callable[[str], Marina]:
    """The `marina` command of somebody, by any name: not logged in yet."""

    def make(who: str) -> Marina:
        home = run_folder / "homes" / who
        home.mkdir(parents=True, exist_ok=True)
        return Marina(home=home, server=stack.url, path=[tools.kubectl.parent, tools.helm.parent])

    return make


@pytest.fixture(scope="session")
def platform(marina_of: Callable[[str], Marina], people: DemoPeople) -> Marina:
    """The `marina` command of platform staff, logged in."""
    marina = marina_of("platform")
    marina.login(people.staff.handle, people.staff.password)
    return marina


@pytest.fixture(scope="session")
def marina(marina_of: Callable[[str], Marina], people: DemoPeople) -> Marina:
    """The `marina` command of a developer of the demo project, logged in."""
    marina = marina_of("developer")
    marina.login(people.developer.handle, people.developer.password)
    return marina


@pytest.fixture(scope="session")
def inside_of(
    marina: Marina, hosts: list[TestHost], tools: Tools, run_folder: Path, processes: Processes
) -> Callable[[str], Kubectl]:
    """kubectl on a virtual cluster, by its name, with a kubeconfig that Marina issued to the developer.

    Where the cluster is published nowhere, a port-forward by the host's own kubeconfig leads to it.
    """

    def make(name: str) -> Kubectl:
        placement = marina("get", name, "-o", "json").json["placement"]
        file = run_folder / "kubeconfigs" / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        server = [] if placement["endpoint"] else ["--server", forwarded(placement)]
        marina("kubeconfig", name, "--direct", "--output", str(file), *server)
        kubeconfig_canaries(file.read_text(), f"the virtual cluster {name}")
        return Kubectl(tools.kubectl, file)

    def forwarded(placement: dict[str, Any]) -> str:
        host = next(host for host in hosts if host.name == placement["host"]["name"])
        return port_forward(
            kubectl=tools.kubectl,
            kubeconfig=host.kubeconfig,
            namespace=placement["namespace"],
            pod=f"{placement['release']}-0",
            processes=processes,
            environment=dict(os.environ),
        )

    return make


@pytest.fixture(scope="session")
def hosts(platform: Marina, tools: Tools, request: pytest.FixtureRequest) -> list[TestHost]:
    """At least one host, connected to `stack`."""
    given = os.environ.get("MARINA_E2E_KUBECONFIG")
    if given:
        exposure = os.environ.get("MARINA_E2E_EXPOSURE", "None")
        found = [TestHost("given-host", Path(given), exposure, Kubectl(tools.kubectl, Path(given)))]
    else:
        local: Mapping[str, LocalHost] = request.getfixturevalue("local_hosts")
        found = [
            TestHost(host.name, host.kubeconfig, "Local", Kubectl(tools.kubectl, host.kubeconfig))
            for host in local.values()
        ]
    for host in found:
        kubeconfig_canaries(host.kubeconfig.read_text(), f"the host {host.name}")
        platform(
            "host", "connect", host.name, "--kubeconfig", str(host.kubeconfig), "--exposure", host.exposure, "--wait"
        )
    return found


# journeys wait for what probes see
HASTE = {"PROBE_SECONDS": "2", "SURVEY_SECONDS": "2"}
LOCAL_SETTINGS = {
    **HASTE,
    "CHART_FOLDER": str(LOCAL_CHART),
    # beside the two that local hosts can run: two whose image is not there, one that those hosts do not take
    "KUBERNETES_VERSIONS": "1.36.3,1.36.2,1.35.4,1.34.9,1.33.9",
    # what people wait for is not what journeys wait for
    "IMAGE_PULL_PATIENCE_SECONDS": "1",
    "RETRY_BASE_SECONDS": "0.2",
    "HOST_CONNECT_TIMEOUT_SECONDS": "1",
    # receivers of journeys are on this machine
    "WEBHOOK_ALLOW_PRIVATE": "true",
}


def _stack_settings(config: pytest.Config) -> dict[str, str]:
    """On a given cluster what the caller set, such as CHART_FOLDER; on local hosts the stand-in chart, and haste."""
    return HASTE | config.stash[GIVEN_SETTINGS] if "MARINA_E2E_KUBECONFIG" in os.environ else LOCAL_SETTINGS
