"""What journeys share: the API as each kind of person, a host where Marina has the least rights, the database.

Tests marked `localkube` need the insides of local hosts (two of them, audit logs, an administrator who breaks things)
and are left out by `make e2e-host`; the others run on any cluster.

- `stack`: a whole Marina in processes of its own, with a database of its own in which everything is committed.
- `people`, `marina`, `platform`: who can log in there, and the `marina` command as a developer and as platform staff.
- `inside_of`: kubectl on a virtual cluster of that Marina, with a kubeconfig that was issued to the developer.
- `hosts`: hosts connected to that Marina: the local ones, or the one of `make e2e-host KUBECONFIG=file`.

All of it ends with the last journey: what runs on would take its share of the machine from the tests that follow.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dev.backing import Backing, backing_of
from dev.demo_people import DemoPeople, demo_people_make
from dev.port_forward import port_forward
from dev.processes import Processes
from dev.stack import Stack, StackPlan
from dev.static_files import collect_static
from localkube import LocalHost, Tools
from localkube.ports import free_ports
from tests.canaries import canary, kubeconfig_canaries
from tests.commands import Kubectl, Marina
from tests.conftest import HASTE, LOCAL_SETTINGS, TestHost
from tests.e2e.api import Api, Json
from tests.migrated import MIGRATED, migrated_data
from tests.plugin import GIVEN_SETTINGS

MAKE_USER = """
from accounts.services.users import user_create
from controlplane.management.commands.demo_data import ACTOR
user_create(actor=ACTOR, handle={handle!r}, password={password!r})
"""
GIVEN_NAMESPACES = ("given-a", "given-b")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a cluster that was given there is no local host."""
    here = Path(__file__).parent
    elsewhere = pytest.mark.skip(reason="needs the insides of local hosts")
    for item in items:
        if here not in item.path.parents:
            continue
        item.add_marker(pytest.mark.e2e)
        if "MARINA_E2E_KUBECONFIG" in os.environ and item.get_closest_marker("localkube"):
            item.add_marker(elsewhere)


@pytest.fixture(scope="package")
def stack(
    pytestconfig: pytest.Config, backing: Backing, tools: Tools, run_folder: Path, processes: Processes
) -> Iterator[Stack]:
    """A running Marina: web server, worker and beat."""
    own = backing
    if not (own.postgres and own.valkey):  # journeys commit: they stay out of servers that were configured
        own = backing_of(
            folder=run_folder / "stack", processes=processes, database="marina", configured={}, data=migrated_data
        )
        own.start()
    assert own.postgres
    assert own.valkey
    plan = StackPlan(
        folder=run_folder / "stack",
        owner_url=own.postgres.create_database("marina_e2e", like=MIGRATED),
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


@pytest.fixture(scope="package")
def people(stack: Stack) -> DemoPeople:
    """Who can log in to `stack`, with passwords."""
    return demo_people_make(stack)


@pytest.fixture(scope="package")
def marina_of(stack: Stack, tools: Tools, run_folder: Path) -> Callable[[str], Marina]:
    """The `marina` command of somebody, by any name: not logged in yet."""

    def make(who: str) -> Marina:
        home = run_folder / "homes" / who
        home.mkdir(parents=True, exist_ok=True)
        return Marina(home=home, server=stack.url, path=[tools.kubectl.parent, tools.helm.parent])

    return make


@pytest.fixture(scope="package")
def platform(marina_of: Callable[[str], Marina], people: DemoPeople) -> Marina:
    """The `marina` command of platform staff, logged in."""
    marina = marina_of("platform")
    marina.login(people.staff.handle, people.staff.password)
    return marina


@pytest.fixture(scope="package")
def marina(marina_of: Callable[[str], Marina], people: DemoPeople) -> Marina:
    """The `marina` command of a developer of the demo project, logged in."""
    marina = marina_of("developer")
    marina.login(people.developer.handle, people.developer.password)
    return marina


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def staff(stack: Stack, people: DemoPeople) -> Api:
    """The API as platform staff."""
    return Api(server=stack.url, handle=people.staff.handle, password=people.staff.password)


@pytest.fixture(scope="package")
def developer(stack: Stack, people: DemoPeople) -> Api:
    """The API as a developer of the demo project."""
    return Api(server=stack.url, handle=people.developer.handle, password=people.developer.password)


@pytest.fixture(scope="package")
def viewer(stack: Stack, people: DemoPeople) -> Api:
    """The API as a viewer of the demo project."""
    handle, password = f"vera-{secrets.token_hex(3)}", secrets.token_urlsafe(15)
    stack.manage("shell", "-c", MAKE_USER.format(handle=handle, password=password))
    admin = Api(server=stack.url, handle=people.admin.handle, password=people.admin.password)
    admin("POST", "/role-bindings", {"user": handle, "role": "viewer", "project": people.project}, status=201)
    return Api(server=stack.url, handle=handle, password=password)


@pytest.fixture(scope="package")
def mover(marina_of: Callable[[str], Marina], people: DemoPeople) -> Marina:
    """An admin of the organization: developers do not choose hosts."""
    marina = marina_of("mover")
    marina.login(people.admin.handle, people.admin.password)
    return marina


@pytest.fixture(scope="package")
def project(people: DemoPeople) -> str:
    """The demo project, as ORGANIZATION/NAME."""
    return people.project


@pytest.fixture(scope="package")
def admin_of(local_hosts: Mapping[str, LocalHost], tools: Tools) -> Callable[[str], Kubectl]:
    """The administrator's kubectl on a local host."""
    return lambda name: Kubectl(tools.kubectl, local_hosts[name].kubeconfig)


@pytest.fixture(scope="package")
def least(platform: Marina, local_hosts: Mapping[str, LocalHost], admin_of: Callable[[str], Kubectl]) -> TestHost:
    """harbor-east, connected in mode `cluster` by a context of its administrator: Marina has the manifest's rights."""
    return _connect_by_context(platform, "least", local_hosts["harbor-east"], admin_of("harbor-east"))


@pytest.fixture(scope="package")
def given(platform: Marina, local_hosts: Mapping[str, LocalHost], admin_of: Callable[[str], Kubectl]) -> TestHost:
    """harbor-west, connected in mode `namespaces` with two of them, and with the manifest's rights."""
    kubectl = admin_of("harbor-west")
    for namespace in GIVEN_NAMESPACES:
        kubectl("create", "namespace", namespace)
    mode = ["--mode", "namespaces", *(part for name in GIVEN_NAMESPACES for part in ("--namespace", name))]
    return _connect_by_context(platform, "given", local_hosts["harbor-west"], kubectl, *mode)


def _connect_by_context(platform: Marina, name: str, host: LocalHost, kubectl: Kubectl, *options: str) -> TestHost:
    road = ["--context", context_of(kubectl), "--yes", "--exposure", "Local", "--wait"]
    platform("host", "connect", name, *road, *options, KUBECONFIG=str(host.kubeconfig))
    return TestHost(name, host.kubeconfig, "Local", kubectl)


def context_of(kubectl: Kubectl) -> str:
    """The current context of a kubeconfig."""
    return kubectl("config", "current-context").stdout.strip()


@pytest.fixture(scope="package")
def home(request: pytest.FixtureRequest) -> TestHost:
    """Where journeys run that make sense on any cluster: locally with the least rights."""
    if "MARINA_E2E_KUBECONFIG" in os.environ:
        hosts: list[TestHost] = request.getfixturevalue("hosts")
        return hosts[0]
    found: TestHost = request.getfixturevalue("least")
    return found


@pytest.fixture(scope="package")
def shared(developer: Api, home: TestHost, project: str) -> Iterator[Json]:
    """A virtual cluster that several tests use and none changes for the others."""
    developer.ended(developer.create("shared", project=project, host=home.name), seconds=240)
    yield developer.cluster("shared")
    developer.ended(developer.delete("shared"), seconds=240)


@pytest.fixture(scope="package")
def shared_inside(shared: Json, inside_of: Callable[[str], Kubectl]) -> Kubectl:
    """kubectl on it, as its cluster-admin."""
    return inside_of("shared")


@pytest.fixture
def database(stack: Stack) -> Iterator[psycopg.Connection]:
    """Marina's database as its operator sees it; every statement is committed."""
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        yield connection


def _stack_settings(config: pytest.Config) -> dict[str, str]:
    """On a given cluster what the caller set, such as CHART_FOLDER; on local hosts the stand-in chart, and haste."""
    return HASTE | config.stash[GIVEN_SETTINGS] if "MARINA_E2E_KUBECONFIG" in os.environ else LOCAL_SETTINGS
