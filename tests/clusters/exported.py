"""Complete exports whose clusters can be made again."""

from typing import Any

from clusters.exports.secrets import spec_encrypt
from clusters.models import Export, Placement, PlacementRole, VirtualCluster, VirtualClusterPhase
from clusters.services.export_writing import cluster_spec
from tests.clusters.export_making import OBJECTS, export_made


def export_of(cluster: VirtualCluster, objects: list[dict[str, Any]] = OBJECTS, **spec: Any) -> Export:
    """A Complete one with its file, as a worker writes it of this cluster; `spec` changes what is kept of that."""
    export = export_made(cluster, objects)
    placement = Placement.objects.get(virtual_cluster=cluster, role=PlacementRole.ACTIVE)
    export.spec = spec_encrypt({**cluster_spec(cluster, placement), **spec})
    export.save(update_fields=["spec"])
    return export


def deleted(cluster: VirtualCluster) -> VirtualCluster:
    """The row as the flow `delete` leaves it."""
    Placement.objects.filter(virtual_cluster=cluster).delete()
    cluster.phase = VirtualClusterPhase.DELETED
    cluster.save(update_fields=["phase"])
    return cluster
