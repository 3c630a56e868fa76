"""What tests of faults share. Each system has database, broker and workers that no other test uses.

- `drills`: its workers do drills against `ledger`, a host that counts what it is asked (tests/faults/drill.py).
- `harbor`: its workers do the real thing, on real hosts behind Toxiproxy or behind a gate of ours.

Figures are printed as `fault ...` lines: `make test ARGS='tests/faults -s'` shows them.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.processes import Processes
from dev.static_files import collect_static
from localkube import Tools
from tests.conftest import LOCAL_CHART, LOCAL_SETTINGS
from tests.faults.ledger import Ledger
from tests.faults.servers import Servers
from tests.faults.system import Made, System
from tests.faults.toxiproxy import Toxiproxy

LEDGER_HOST, LEDGER_TOKEN = "ledger", "token-of-the-ledger"
STOP_GRACE_SECONDS = 2
OF_REAL_HOSTS = {
    "LEASE_SECONDS": "3",
    "HEARTBEAT_SECONDS": "1",
    "PROBE_SECONDS": "1",
    "SURVEY_SECONDS": "60",
    "RETRY_CAP_SECONDS": "3",
    "HOST_CONNECT_TIMEOUT_SECONDS": "3",
    "HOST_READ_TIMEOUT_SECONDS": "4",
    "STOP_GRACE_SECONDS": "1",
    "GATEWAY_RATE": "100000",
}
"""Leases that a busy machine can keep, and timeouts that bear an answer after 2 s."""
MAKE_LEDGER_HOST = """
from django.utils import timezone
from clusters.connection import HostConnection
from clusters.encryption import connection_encrypt
from clusters.models import HostCluster, HostCredential, HostPhase
from django.conf import settings
from provisioning.charts import chart_ensure
chart_ensure(settings.CHART_VERSION)
host = HostCluster.objects.create(
    name={name!r},
    offered_to_all=True,
    phase=HostPhase.CONNECTED,
    kubernetes_version="1.36.3",
    server={server!r},
    concurrency={concurrency},
)
connection = HostConnection(server=host.server, ca_pem={ca!r}, token={token!r})
HostCredential.objects.create(host=host, ciphertext=connection_encrypt(connection), issued_at=timezone.now())
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those marked `soak` only run when asked for."""
    here = Path(__file__).parent
    if os.environ.get("MARINA_SOAK"):
        return
    for item in items:
        if here in item.path.parents and item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="takes long: MARINA_SOAK=1, as `make soak` sets it"))


@pytest.fixture(scope="package")
def fault_processes(run_folder: Path) -> Iterator[Processes]:
    """Database, broker and Toxiproxy; what else there is belongs to a system."""
    processes = Processes(run_folder / "faults" / "logs")
    yield processes
    processes.stop_all()


@pytest.fixture(scope="package")
def servers(run_folder: Path, fault_processes: Processes) -> Servers:
    return Servers(run_folder / "faults", fault_processes)


@pytest.fixture(scope="package")
def ledger(run_folder: Path) -> Iterator[Ledger]:
    with Ledger(run_folder / "faults" / "ledger") as ledger:
        yield ledger


@pytest.fixture(scope="package")
def drill_system(servers: Servers, ledger: Ledger, tools: Tools, run_folder: Path) -> Iterator[System]:
    system = System(
        Made(
            name="drills",
            folder=run_folder / "faults" / "drills",
            servers=servers,
            helm=tools.helm,
            broker_database=1,
            settings={
                "CHART_FOLDER": str(LOCAL_CHART),
                "STOP_GRACE_SECONDS": str(STOP_GRACE_SECONDS),
                "PROBE_SECONDS": "1",
            },
            application="tests.faults.drill",
        )
    )
    collect_static(system.stack)
    system.start(probes=True)
    ledger_host_make(system, ledger, name=LEDGER_HOST, server=ledger.server, concurrency=100)
    yield system
    system.stop()


def ledger_host_make(system: System, ledger: Ledger, *, name: str, server: str, concurrency: int) -> None:
    """A host of that name whose API is the ledger's, at this address."""
    make = MAKE_LEDGER_HOST.format(
        name=name, server=server, ca=ledger.ca_pem, token=LEDGER_TOKEN, concurrency=concurrency
    )
    system.stack.manage("shell", "-c", make)


@pytest.fixture
def drills(drill_system: System) -> Iterator[System]:
    """Whole at the beginning, and made whole again."""
    drill_system.whole()
    yield drill_system
    drill_system.whole()


@pytest.fixture(scope="package")
def harbor_system(servers: Servers, tools: Tools, run_folder: Path) -> Iterator[System]:
    system = System(
        Made(
            name="harbor",
            folder=run_folder / "faults" / "harbor",
            servers=servers,
            helm=tools.helm,
            broker_database=2,
            settings={**LOCAL_SETTINGS, **OF_REAL_HOSTS},
        )
    )
    collect_static(system.stack)
    system.start(probes=True)
    yield system
    system.stop()


@pytest.fixture(scope="module")
def harbor(harbor_system: System) -> Iterator[System]:
    """Whole at the beginning of each file."""
    harbor_system.whole()
    yield harbor_system
    harbor_system.whole()


@pytest.fixture(scope="package")
def toxiproxy(tools: Tools, fault_processes: Processes) -> Toxiproxy:
    return Toxiproxy(tools.toxiproxy, fault_processes)


@pytest.fixture
def figure(tell: Callable[[str], None]) -> Callable[[str, object], None]:
    """Tells one figure of the test."""

    def show(what: str, value: object) -> None:
        tell(f"fault {what}: {f'{value:.1f}' if isinstance(value, float) else value}")

    return show
