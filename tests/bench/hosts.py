"""Host rows for measurements: many that point at one real API server, some at a server that says nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from dev.settings_names import ROOT
from localkube import LocalHost, LocalKube, ensure_tools

CHART = ROOT / "localkube" / "charts" / "vcluster"
SETTINGS = {"CHART_FOLDER": str(CHART), "KUBERNETES_VERSIONS": "1.36.3,1.35.4"}
"""Of a Marina whose hosts are local ones."""


@contextmanager
def local_host(folder: Path, name: str = "harbor-east") -> Iterator[LocalHost]:
    """A real host cluster."""
    with LocalKube(folder=folder, tools=ensure_tools(print)) as local:
        yield local.start_all((name,))[0]


@dataclass(frozen=True)
class Fleet:
    """Ids of host rows."""

    healthy: tuple[UUID, ...]
    silent: tuple[UUID, ...]


@contextmanager
def fleet(host: LocalHost, *, count: int, silent_share: float) -> Iterator[Fleet]:
    """`count` connected host rows, that share of them silent: they take a connection and never say a word."""
    from tests.provisioning.drivers.conftest import connection_of
    from tests.provisioning.drivers.fault_servers import connection_to, serving, silent
    from tests.provisioning.hosts import hosts_at

    mute = round(count * silent_share)
    version = {"kubernetes_version": "1.36.3", "offered_to_all": True}
    healthy = hosts_at(connection_of(host.kubeconfig), count - mute, prefix="healthy", **version)
    with serving(silent) as port:
        mutes = hosts_at(connection_to(port), mute, prefix="silent", **version)
        yield Fleet(tuple(row.pk for row in healthy), tuple(row.pk for row in mutes))
