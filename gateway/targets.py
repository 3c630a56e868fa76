"""Where a request goes: what the gateway has to know of a virtual cluster, and later of a host's namespace."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from accounts.models import RequestAudit
from clusters.models import Placement, PlacementRole, VirtualClusterPhase
from provisioning.drivers.clients import Clients
from provisioning.drivers.road import Road


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
    )


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
