"""Exporting everything that users own in a virtual cluster, before something that may lose it, or because it was asked.

The file is written first, under a name that no other attempt uses, and the row says that it is there only under the
operation's lease. So a worker that was taken for dead can neither end an export nor harm that of its successor.
"""

from contextlib import suppress
from typing import Final

from clusters.adoption import Adoption
from clusters.exports.purging import PURGE
from clusters.exports.storage import ExportStorageError, export_erase, export_folder_erase
from clusters.models import Export, ExportCause, ExportState, Placement
from clusters.services.cleanup_calling_off import deletion_wanted
from clusters.services.export_writing import (
    Written,
    cluster_spec,
    export_begin,
    export_complete,
    export_fail,
    export_row,
)
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError, StepError
from provisioning.engine.flow import Done, Skip, Step, StepResult, step
from provisioning.engine.lease import LeaseLost
from provisioning.exports.left_out import SILENT
from provisioning.exports.writing import ExportFile, export_write
from provisioning.steps.deleting import NOT_OURS, NOT_PLACED, not_ours, placed
from provisioning.steps.release import workload_of
from provisioning.steps.unreadable import EXPORT_SECONDS, export_of_silent, export_of_vanished

NEVER_ANSWERED: Final = Skip("Its API never answered, so nobody put anything into it.")
IS_PURGED: Final = Skip("It is deleted for good, without an export, as was asked for.")


def export_before(cause: str) -> Step:
    """The step that exports everything, for a flow that does afterwards what `cause` says."""
    why = ExportCause(cause)

    @step("Export everything in it", deadline=EXPORT_SECONDS)
    def export_objects(context: StepContext) -> StepResult:
        """Skipped where nothing can be in it. Ends the operation where it is asleep and cannot be read, and where the

        sweep began what nobody wants any more.
        """
        _wanted_check(context)
        placement = placed(context)
        if placement is None:
            return NOT_PLACED
        result = _nothing_to_export(context, placement) or _export(context, placement, why)
        _wanted_check(context)  # somebody may have kept it while it was read
        return result

    return export_objects


def _wanted_check(context: StepContext) -> None:
    if not deletion_wanted(context.operation):
        raise PermanentError("It is used or kept again, so it is not deleted.", code="kept")


def _nothing_to_export(context: StepContext, placement: Placement) -> Skip | None:
    if context.params.get(PURGE):
        return IS_PURGED
    if not_ours(placement):
        return NOT_OURS
    if not placement.kubernetes_version and Adoption.of_json(placement.adopted) is None:
        return NEVER_ANSWERED
    return None


def _export(context: StepContext, placement: Placement, cause: ExportCause) -> StepResult:
    made = Export.objects.filter(operation=context.operation, state=ExportState.COMPLETE).first()
    if made is not None:
        return Done(_told(made))
    workload = workload_of(context.kube(), placement)
    if workload is None and cause == ExportCause.DELETE:
        return export_of_vanished(context, placement)
    if workload is not None and workload["spec"].get("replicas", 1) == 0:
        return export_of_silent(context, cause, workload)
    export = _begun(context, cause)
    try:
        return Done(_told(_ended(context, placement, export)))
    except StepError as error:
        with context.fenced():
            export_fail(export=export, why=error.message, now=context.now)
        error.hint = _hint(context, cause, error.hint)
        raise


def _begun(context: StepContext, cause: ExportCause) -> Export:
    with context.fenced():
        export = export_row(operation=context.operation, cause=cause)
        export_begin(export=export, attempt=context.lease.token, now=context.now)
    with suppress(ExportStorageError):  # of an earlier attempt; what is not erased now goes when the export ends
        export_folder_erase(export.folder)
    return export


def _ended(context: StepContext, placement: Placement, export: Export) -> Export:
    cluster, name = context.virtual_cluster, export.storage_name
    with context.virtual() as kube:
        file = export_write(kube=kube, cluster=cluster, name=name, before_page=context.lease.check, clock=context.clock)
    try:
        with context.fenced():
            export_complete(export=export, written=_as_written(file, export, placement), now=context.now)
    except LeaseLost:
        with suppress(ExportStorageError):
            export_erase(name)
        raise
    return export


def _as_written(file: ExportFile, export: Export, placement: Placement) -> Written:
    return Written(
        storage_name=export.storage_name,
        key=file.key,
        size=file.size,
        counts=file.counts,
        left_out=file.left_out,
        digest=file.digest,
        kubernetes_version=file.kubernetes_version,
        spec=cluster_spec(export.virtual_cluster, placement),
    )


def _told(export: Export) -> str:
    told = f"{export.objects_count} objects of {len(export.counts)} kinds."
    silent = [named["kind"] for entry in export.left_out if entry["rule"] == SILENT for named in entry["first"]]
    if silent:
        told += f" Not read, because their own API server does not answer: {', '.join(silent)}."
    return told


def _hint(context: StepContext, cause: ExportCause, hint: str) -> str:
    if cause != ExportCause.DELETE:
        return hint
    purge = (
        f"Nothing is deleted without an export, unless for good: marina delete {context.virtual_cluster.name} --purge."
    )
    return f"{hint} {purge}".strip()
