"""Whether workloads run in a cluster, as its host tells: where they do, unseen traffic may be use."""

from uuid import UUID

from clusters.models import VirtualCluster


def serving_note(*, virtual_cluster_id: UUID, serving: bool | None) -> None:
    """Writes it where it is another than before."""
    rows = VirtualCluster.objects.filter(pk=virtual_cluster_id)
    same = rows.filter(serving__isnull=True) if serving is None else rows.filter(serving=serving)
    if not same.exists():
        rows.update(serving=serving)
