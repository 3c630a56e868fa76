"""What a worker writes to an export's row: the beginning of an attempt, its end, and why it failed.

All of it is called under the operation's lease.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from clusters.exports.secrets import key_encrypt, spec_encrypt
from clusters.models import Export, ExportCause, ExportState, Operation, Placement, VirtualCluster


@dataclass(frozen=True, kw_only=True)
class Written:
    """A whole file in the storage, and what its manifest tells."""

    storage_name: str
    key: bytes
    size: int
    counts: Mapping[str, int]
    left_out: Sequence[Mapping[str, Any]]
    digest: str
    kubernetes_version: str
    spec: Mapping[str, Any]


def export_row(*, operation: Operation, cause: ExportCause) -> Export:
    """The row of the export that this operation makes; where nobody asked for it by itself it is made now."""
    cluster = operation.virtual_cluster
    if cluster is None:
        raise ValueError("an export is of a virtual cluster")
    row, _ = Export.objects.get_or_create(
        operation=operation,
        defaults={
            "organization": cluster.project.organization,
            "project": cluster.project,
            "virtual_cluster": cluster,
            "cause": cause,
            "requested_by": operation.requested_by,
            "chart_version": cluster.chart_version,
        },
    )
    return row


def export_detach(operation: Operation) -> None:
    """What an earlier try of the operation exported stays, by itself: this try makes one of its own."""
    Export.objects.filter(operation=operation, state=ExportState.COMPLETE).update(operation=None)


def export_begin(*, export: Export, attempt: int, now: datetime) -> None:
    """An attempt writes to a file of its own, so that of two that believe to be at work none harms the other's."""
    export.state, export.message = ExportState.WRITING, ""
    export.started_at, export.finished_at = now, None
    export.storage_name = f"{export.folder}/{attempt}.marina-export"
    export.save(update_fields=["state", "message", "started_at", "finished_at", "storage_name"])


def export_complete(*, export: Export, written: Written, now: datetime) -> None:
    """From now on there is one, for as long as its cause says."""
    export.state, export.finished_at = ExportState.COMPLETE, now
    export.expires_at = now + kept_for(ExportCause(export.cause))
    export.storage_name, export.size = written.storage_name, written.size
    export.key, export.spec = key_encrypt(written.key), spec_encrypt(dict(written.spec))
    export.counts, export.left_out = dict(written.counts), [dict(each) for each in written.left_out]
    export.objects_count = sum(written.counts.values())
    export.digest, export.kubernetes_version = written.digest, written.kubernetes_version
    export.save()


def export_fail(*, export: Export, why: str, now: datetime) -> None:
    """Until the next attempt, if there is one."""
    Export.objects.filter(pk=export.pk, state=ExportState.WRITING).update(
        state=ExportState.FAILED, message=why, finished_at=now
    )


def export_of_operation_fail(operation: Operation, now: datetime) -> None:
    """The operation ended before its export was complete."""
    why = operation.error_message or operation.message or "Its operation was aborted."
    for export in Export.objects.filter(operation=operation, state=ExportState.WRITING):
        export_fail(export=export, why=why, now=now)


def kept_for(cause: ExportCause) -> timedelta:
    """How long its file stays."""
    days = settings.EXPORT_DELETED_DAYS if cause == ExportCause.DELETE else settings.EXPORT_DAYS
    return timedelta(days=days)


def newest_export(cluster: VirtualCluster) -> Export | None:
    """The last one that can be restored."""
    complete = Export.objects.filter(virtual_cluster=cluster, state=ExportState.COMPLETE)
    return complete.order_by("-finished_at").first()


def export_keep_for_deleted(*, export: Export, now: datetime) -> None:
    """The last one of a cluster that is deleted asleep stays for as long as one made by the deletion would."""
    until = now + kept_for(ExportCause.DELETE)
    Export.objects.filter(pk=export.pk, expires_at__lt=until).update(expires_at=until)


def cluster_spec(cluster: VirtualCluster, placement: Placement) -> dict[str, Any]:
    """What is needed to make it again. Its values may hold passwords."""
    return {
        "name": cluster.name,
        "labels": cluster.labels,
        "deletion_protection": cluster.deletion_protection,
        "kubeconfig_ceiling": cluster.kubeconfig_ceiling,
        "kubernetes_version": cluster.kubernetes_version,
        "chart_version": cluster.chart_version,
        "size": cluster.size,
        "exposure": cluster.exposure,
        "values": cluster.values,
        "replicas": cluster.replicas,
        "backing_store": cluster.backing_store,
        "region": cluster.wanted_region or placement.host.region,
        "host": placement.host.name,
        "host_labels": cluster.wanted_host_labels,
    }
