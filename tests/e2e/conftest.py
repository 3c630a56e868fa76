"""What journeys share: the API as each kind of person, a host where Marina has the least rights, the database.

Tests marked `localkube` need the insides of local hosts (two of them, audit logs, an administrator who breaks things)
and are left out by `make e2e-host`; the others run on any cluster.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from dev.demo_people import DemoPeople
from dev.stack import Stack
from localkube import LocalHost, Tools
from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json

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


@pytest.fixture(scope="session")
def staff(stack: Stack, people: DemoPeople) -> Api:
    """The API as platform staff."""
    return Api(server=stack.url, handle=people.staff.handle, password=people.staff.password)


@pytest.fixture(scope="session")
def developer(stack: Stack, people: DemoPeople) -> Api:
    """The API as a developer of the demo project."""
    return Api(server=stack.url, handle=people.developer.handle, password=people.developer.password)


@pytest.fixture(scope="session")
def viewer(stack: Stack, people: DemoPeople) -> Api:
    """The API as a viewer of the demo project."""
    handle, password = f"vera-{secrets.token_hex(3)}", secrets.token_urlsafe(15)
    stack.manage("shell", "-c", MAKE_USER.format(handle=handle, password=password))
    admin = Api(server=stack.url, handle=people.admin.handle, password=people.admin.password)
    admin("POST", "/role-bindings", {"user": handle, "role": "viewer", "project": people.project}, status=201)
    return Api(server=stack.url, handle=handle, password=password)


@pytest.fixture(scope="session")
def mover(marina_of: Callable[[str], Marina], people: DemoPeople) -> Marina:
    """An admin of the organization: developers do not choose hosts."""
    marina = marina_of("mover")
    marina.login(people.admin.handle, people.admin.password)
    return marina


@pytest.fixture(scope="session")
def project(people: DemoPeople) -> str:
    """The demo project, as ORGANIZATION/NAME."""
    return people.project


@pytest.fixture(scope="session")
def admin_of(local_hosts: Mapping[str, LocalHost], tools: Tools) -> Callable[[str], Kubectl]:
    """The administrator's kubectl on a local host."""
    return lambda name: Kubectl(tools.kubectl, local_hosts[name].kubeconfig)


@pytest.fixture(scope="session")
def least(platform: Marina, local_hosts: Mapping[str, LocalHost], admin_of: Callable[[str], Kubectl]) -> TestHost:
    """harbor-east, connected in mode `cluster` by a context of its administrator: Marina has the manifest's rights."""
    return _connect_by_context(platform, "least", local_hosts["harbor-east"], admin_of("harbor-east"))


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def home(request: pytest.FixtureRequest) -> TestHost:
    """Where journeys run that make sense on any cluster: locally with the least rights."""
    if "MARINA_E2E_KUBECONFIG" in os.environ:
        hosts: list[TestHost] = request.getfixturevalue("hosts")
        return hosts[0]
    found: TestHost = request.getfixturevalue("least")
    return found


@pytest.fixture(scope="session")
def shared(developer: Api, home: TestHost, project: str) -> Iterator[Json]:
    """A virtual cluster that several tests use and none changes for the others."""
    developer.ended(developer.create("shared", project=project, host=home.name), seconds=240)
    yield developer.cluster("shared")
    developer.ended(developer.delete("shared"), seconds=240)


@pytest.fixture(scope="session")
def shared_inside(shared: Json, inside_of: Callable[[str], Kubectl]) -> Kubectl:
    """kubectl on it, as its cluster-admin."""
    return inside_of("shared")


@pytest.fixture
def database(stack: Stack) -> Iterator[psycopg.Connection]:
    """Marina's database as its operator sees it; every statement is committed."""
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        yield connection
