"""Where a request goes: what the gateway has to know of a virtual cluster, and later of a host's namespace."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from accounts.models import RequestAudit
from clusters.models import Placement, PlacementRole, VirtualClusterPhase
from provisioning.drivers.clients import Clients
from provisioning.drivers.road import Road


@dataclass(frozen=True)
class Origin:
    """That a cluster came here from elsewhere, when, and what of its API's versions is known.

    `foreign`: the newest that it gave out where it was before (0: not known). `first`: this API's newest when people
    were let to it, so that it gave out none older.
    """

    since: datetime
    foreign: int
    first: int


@dataclass(frozen=True)
class Target:
    """Where the cluster is served from now, and whether it is served at all.

    `served`: it answers. Else `phase` and `sentence` say why it does not, for its user. `key` changes with the
    placement and with the host's credential: whatever is open to another key is old.
    """

    cluster_id: UUID
    name: str
    host_id: UUID
    host_name: str
    phase: str
    served: bool
    sentence: str
    endpoint: str
    key: tuple[UUID, int]
    request_audit: str = RequestAudit.WRITES
    """Which requests its project wants written down."""
    frozen_at: datetime | None = None
    frozen_why: str = ""
    """Since when, and why, nothing may be written to it: it is being moved."""
    origin: Origin | None = None

    @property
    def placement(self) -> UUID:
        return self.key[0]

    @property
    def moving(self) -> bool:
        """Whether it may be elsewhere, or take no writes, from one moment to the next."""
        return self.frozen_at is not None or self.phase == VirtualClusterPhase.MIGRATING


def targets_of(cluster_ids: Iterable[UUID]) -> dict[UUID, Target]:
    """Of those that have an active placement, in one query."""
    rows = Placement.objects.filter(virtual_cluster__in=list(cluster_ids), role=PlacementRole.ACTIVE)
    found = rows.select_related("virtual_cluster__project__organization", "host__credential")
    return {placement.virtual_cluster_id: _target(placement) for placement in found}


def _target(placement: Placement) -> Target:
    cluster, host = placement.virtual_cluster, placement.host
    credential = getattr(host, "credential", None)
    return Target(
        cluster_id=cluster.pk,
        name=f"{cluster.project}/{cluster.name}",
        host_id=host.pk,
        host_name=host.name,
        phase=cluster.phase,
        served=cluster.phase in SERVED,
        sentence=SENTENCES.get(cluster.phase, ""),
        endpoint=placement.endpoint,
        key=(placement.pk, credential.generation if credential else 0),
        request_audit=cluster.project.request_audit,
        frozen_at=cluster.frozen_at,
        frozen_why=cluster.frozen_why,
        origin=_origin(placement),
    )


def _origin(placement: Placement) -> Origin | None:
    if placement.role_since is None:
        return None
    return Origin(placement.role_since, placement.foreign_revision, placement.first_revision)


SERVED = frozenset(
    (
        VirtualClusterPhase.READY,
        VirtualClusterPhase.UPDATING,
        VirtualClusterPhase.UPGRADING,
        VirtualClusterPhase.MIGRATING,
        VirtualClusterPhase.FAILED,
    )
)
"""In these there may be a virtual API that answers; where it does not, the phase's sentence says what goes on."""

SENTENCES: Final[Mapping[str, str]] = {
    VirtualClusterPhase.PENDING: "is still being made",
    VirtualClusterPhase.PROVISIONING: "is still being made",
    VirtualClusterPhase.UPDATING: "is being changed",
    VirtualClusterPhase.UPGRADING: "is being upgraded",
    VirtualClusterPhase.MIGRATING: "is being moved to another host",
    VirtualClusterPhase.RECOVERING: "was lost with its host, and is being made again",
    VirtualClusterPhase.FALLING_ASLEEP: "is falling asleep",
    VirtualClusterPhase.ASLEEP: "is asleep",
    VirtualClusterPhase.WAKING: "is waking up",
    VirtualClusterPhase.DELETING: "is being deleted",
    VirtualClusterPhase.FAILED: "failed the last time something was done to it",
}


def road_finder(clients: Clients) -> Callable[[UUID], Road]:
    """Gives the road to a placement's virtual API, asking the database and the host. It blocks: for a thread."""

    def find(placement_id: UUID) -> Road:
        placement = Placement.objects.select_related("host__credential").get(pk=placement_id)
        return clients.road(placement)

    return find
