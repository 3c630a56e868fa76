"""What one case plays on: a host that answers, its row in Marina, and a virtual cluster of a name of its own."""

import functools
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import yaml
from django.utils import timezone

from accounts.services.audit import Actor
from clusters.connection import HostConnection
from clusters.encryption import connection_encrypt
from clusters.host_roles import manifest_render
from clusters.host_rules import SERVICE_ACCOUNT, SYSTEM_NAMESPACE
from clusters.models import (
    Exposure,
    HostCluster,
    HostCredential,
    HostMode,
    HostPhase,
    Operation,
    OperationState,
    Placement,
    VirtualCluster,
)
from clusters.services.virtual_clusters import VirtualClusterSpec, virtual_cluster_create
from provisioning.drivers.kinds import NAMESPACE, PRIORITY_CLASS, Json
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.transport import connection_open
from tests.accounts.conftest import World
from tests.fakes.host import FakeHost
from tests.faults.crashes.crew import Crew

TOKEN_SECONDS = 3600
_numbers = itertools.count(1)


@dataclass
class Stage:
    """One case's. `admin` is the host's administrator, as whom a test prepares and looks; `fake` where it is one."""

    world: World
    crew: Crew
    admin: HostConnection
    kube: KubeClient
    helm: Path
    fake: FakeHost | None
    seconds: float
    number: int = field(default_factory=lambda: next(_numbers))
    beside: "Stage | None" = None
    """Of a second host, for what moves there."""
    row: str = ""
    """What the host's row is called besides."""

    @property
    def name(self) -> str:
        """Of the host's row and of the virtual cluster; as long in every case."""
        return f"crash-{self.number:05d}"

    @property
    def given_namespace(self) -> str:
        return f"given-{self.number:05d}"

    @property
    def actor(self) -> Actor:
        """The admin of the organization."""
        return Actor(user=self.world.olivia)

    @property
    def staff(self) -> Actor:
        """The platform's."""
        return Actor(user=self.world.staff)

    @property
    def marina(self) -> HostConnection:
        """Marina's own least-privileged account, as its manifest makes it in mode cluster."""
        for document in _manifest():
            self.kube.apply(document)
        token, _ = self.kube.token_request(SYSTEM_NAMESPACE, SERVICE_ACCOUNT, TOKEN_SECONDS)
        return HostConnection(server=self.admin.server, ca_pem=self.admin.ca_pem, token=token)

    def host(self, *, mode: HostMode = HostMode.CLUSTER, connection: HostConnection | None = None) -> HostCluster:
        """A connected host's row, as the flow `connect` leaves it. In mode namespaces the given one is made."""
        if mode == HostMode.NAMESPACES:
            self.given_namespace_make()
        host = HostCluster.objects.create(
            name=f"{self.name}{self.row}",
            mode=mode,
            namespaces=[self.given_namespace] if mode == HostMode.NAMESPACES else [],
            phase=HostPhase.CONNECTED,
            exposure=Exposure.LOCAL,
            offered_to_all=True,
            server=self.admin.server,
            kubernetes_version="1.36.3",
            api_groups=self.kube.api_groups(),
            ingress_classes=[{"name": "nginx", "controller": "marina.test/none"}],
        )
        HostCredential.objects.create(
            host=host,
            ciphertext=connection_encrypt(connection or (self.marina if mode == HostMode.CLUSTER else self.admin)),
            issued_at=timezone.now(),
        )
        return host

    def given_namespace_make(self) -> None:
        """Somebody else's, with a label of theirs."""
        metadata = {"name": self.given_namespace, "labels": {"team": "theirs"}}
        self.kube.apply({"apiVersion": NAMESPACE.api_version, "kind": NAMESPACE.kind, "metadata": metadata})

    def creation(
        self, host: HostCluster, *, version: str = "1.36.3", name: str = "", labels: dict[str, str] | None = None
    ) -> Operation:
        """What `marina create` asks for, on that host. `name`: where it is not the stage's only one."""
        work = virtual_cluster_create(
            project=self.world.payments,
            name=name or self.name,
            spec=VirtualClusterSpec(kubernetes_version=version),
            labels=labels,
            actor=self.actor,
            now=timezone.now(),
            host=host,
        )
        return work.operation

    def ready_cluster(self, host: HostCluster, *, version: str = "1.36.3") -> VirtualCluster:
        """Created by a worker whom nobody disturbs."""
        created = self.creation(host, version=version)
        self.finish(created.pk)
        cluster = created.virtual_cluster
        assert cluster
        cluster.refresh_from_db()
        return cluster

    def clear(self) -> None:
        """Takes everything of this case off a host that the others use too; nobody waits until it is gone."""
        clusters = Placement.objects.filter(host__name=f"{self.name}{self.row}").values_list("namespace", flat=True)
        for namespace in (*clusters, self.given_namespace):
            self.kube.delete(NAMESPACE, namespace)
        for number in range(2):
            self.kube.delete(PRIORITY_CLASS, f"{self.name}-{number}")

    def finish(self, operation_id: UUID) -> None:
        """Works on it undisturbed; it must succeed."""
        assert self.crew.work(operation_id, seconds=self.seconds).ended() == 0
        ended = Operation.objects.get(pk=operation_id)
        assert ended.state == OperationState.SUCCEEDED, f"{ended.kind}: {ended.message}"


@functools.cache
def _manifest() -> tuple[Json, ...]:
    return tuple(yaml.safe_load_all(manifest_render(mode="cluster")))


@contextmanager
def stage_opened(
    *,
    world: World,
    crew: Crew,
    admin: HostConnection,
    helm: Path,
    fake: FakeHost | None = None,
    seconds: float,
    beside: Stage | None = None,
) -> Iterator[Stage]:
    """`seconds` is the most that one worker may take for its operation. `beside` is that of a second host."""
    with connection_open(admin, target="host of the test") as api:
        stage = Stage(world=world, crew=crew, admin=admin, kube=KubeClient(api), helm=helm, fake=fake, seconds=seconds)
        if beside is not None:
            stage.beside, beside.number, beside.row = beside, stage.number, "-to"
        try:
            yield stage
        finally:
            if fake is None:
                stage.clear()
