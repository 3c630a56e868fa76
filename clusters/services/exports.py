"""Exports of virtual clusters: asking for one, and taking one away."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction

from accounts.access import actor_require, require
from accounts.errors import Conflict, NotAllowed
from accounts.services.audit import Actor
from clusters.exports.storage import ExportStorageError, export_folder_erase
from clusters.models import (
    Export,
    ExportCause,
    ExportState,
    Operation,
    OperationKind,
    OperationState,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.cluster_rows import virtual_cluster_audit, virtual_cluster_locked
from clusters.services.export_writing import export_row
from clusters.services.operations import operation_start

log = structlog.get_logger(__name__)

EXPORT_PARAM: Final = "export"
"""In a `restore` operation's params: the id of the export it reads, which is not taken away meanwhile."""

_READERS: Final = (OperationKind.RESTORE, OperationKind.RECOVER)


@dataclass(frozen=True)
class ExportWork:
    """An export and the operation that makes it; `created` is False where one waited already."""

    export: Export
    operation: Operation
    created: bool


@transaction.atomic
def export_start(
    *, virtual_cluster: VirtualCluster, actor: Actor, now: datetime, cause: str = ExportCause.REQUEST
) -> ExportWork:
    """Asks for an export of everything that users own in it. Conflict where it is asleep, deleted or busy with that."""
    actor_require(actor, "virtualcluster.export", virtual_cluster)
    locked = virtual_cluster_locked(virtual_cluster)
    _refuse_what_does_not_answer(locked)
    started = operation_start(
        kind=OperationKind.EXPORT, subject=locked, actor=actor, now=now, params={"cause": str(cause)}
    )
    export = export_row(operation=started.operation, cause=ExportCause(cause))
    if started.created:
        _audit(actor, "virtualcluster.export", export, operation=str(started.operation.pk), cause=str(cause))
    return ExportWork(export, started.operation, created=started.created)


def _refuse_what_does_not_answer(cluster: VirtualCluster) -> None:
    if cluster.phase == VirtualClusterPhase.DELETED:
        raise Conflict(
            f"{cluster} was deleted; nothing of it can be exported.",
            hint=f"Its last exports are there still: marina export list --cluster {cluster.name}.",
        )
    if cluster.phase == VirtualClusterPhase.ASLEEP:
        raise Conflict(
            f"{cluster} is asleep, and only one that is awake can be exported.",
            hint=f"Wake it (marina wake {cluster.name}), or use the export from before it fell asleep.",
            code="asleep",
        )


@transaction.atomic
def export_remove(*, export: Export, actor: Actor, now: datetime) -> Export:
    """Erases its file and its key for good; the record stays. Whoever may delete the cluster may do it.

    Conflict where it is being written, or being restored.
    """
    actor_require(actor, "virtualcluster.delete", export.virtual_cluster)
    locked = Export.objects.select_for_update(of=("self",)).select_related("virtual_cluster").get(pk=export.pk)
    if locked.state == ExportState.REMOVED:
        raise Conflict("This export is removed already.")
    if locked.state == ExportState.WRITING:
        raise Conflict(
            "This export is still being written.",
            hint=f"Abort its operation: marina op abort {locked.operation_id}.",
            operation_id=locked.operation_id,
        )
    if reader := restoring(locked):
        raise Conflict(
            "This export is being restored.", hint=f"Wait for operation {reader.pk}.", operation_id=reader.pk
        )
    export_end(export=locked, why=f"Removed by {actor.label}.", now=now)
    _audit(actor, "virtualcluster.export.remove", locked)
    return locked


def restoring(export: Export) -> Operation | None:
    """The operation that reads it at the moment, or is about to."""
    ended = (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.ABORTED)
    reading = Operation.objects.filter(kind__in=_READERS, params__contains={EXPORT_PARAM: str(export.pk)})
    return reading.exclude(state__in=ended).first()


def export_end(*, export: Export, why: str, now: datetime) -> None:
    """Without its key nobody reads its file any more; the file goes as soon as this is committed."""
    export.state, export.message, export.finished_at = ExportState.REMOVED, why, export.finished_at or now
    export.key = export.spec = export.expires_at = None
    export.save(update_fields=["state", "message", "finished_at", "key", "spec", "expires_at"])
    transaction.on_commit(partial(export_file_erase, export.pk, export.folder))


def export_file_erase(key: UUID, folder: str) -> bool:
    """Erases what the storage has of it; False where the storage does not let go, then housekeeping tries again."""
    try:
        export_folder_erase(folder)
    except ExportStorageError as error:
        log.warning("the file of an export is not erased yet", export=str(key), why=str(error))
        return False
    Export.objects.filter(pk=key).update(storage_name="")
    return True


def export_read(*, export: Export, actor: Actor) -> None:
    """Lets pass, and writes down, who is given what is in it: a role takes it, whoever somebody is besides."""
    if actor.user is None:
        raise NotAllowed("Only a person or a service account can read an export.")
    require(actor.user, "virtualcluster.export.read", export.virtual_cluster)
    _audit(actor, "virtualcluster.export.read", export)


def _audit(actor: Actor, action: str, export: Export, **details: str) -> None:
    virtual_cluster_audit(actor, action, export.virtual_cluster, details={"export": str(export.pk), **details})
