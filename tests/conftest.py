"""What tests may ask for. Each starts on first use and ends with the run, also when the run is killed.

- `db` (pytest-django): a database in this process, for unit tests; `backing` started it.
- `tools`, `local_hosts`: kubectl, helm and so on; two real host clusters, harbor-east and harbor-west.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dev.backing import Backing
from dev.processes import Processes
from localkube import LocalHost, LocalKube, Tools, ensure_tools
from tests.canaries import nowhere_in
from tests.commands import Kubectl
from tests.migrated import MIGRATED
from tests.plugin import BACKING, PROCESSES, RUN_FOLDER, TOLD

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
def django_db_modify_db_settings(
    pytestconfig: pytest.Config, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """The unit tests' database begins as a copy of the migrated one, where the server is ours."""
    from django.db import connection

    if pytestconfig.stash[BACKING].postgres:
        connection.settings_dict["TEST"]["TEMPLATE"] = MIGRATED


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


# journeys wait for what probes see
HASTE = {"PROBE_SECONDS": "3", "SURVEY_SECONDS": "4"}
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
