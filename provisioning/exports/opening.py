"""From an export's row to what its file asks for."""

from collections.abc import Callable
from typing import BinaryIO, TypeVar, cast
from uuid import UUID

from clusters.exports.container import ExportDamaged, ExportReader
from clusters.exports.secrets import key_of
from clusters.exports.storage import ExportStorageError, export_opened
from clusters.models import Export, ExportState
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.exports.restoring import RestorePlan, restore_plan

T = TypeVar("T")


def export_plan(key: UUID | str) -> RestorePlan:
    """Reads the whole file. PermanentError where it is gone, or is not as it was written; then nothing was changed."""
    return export_read(key, lambda reader: restore_plan(reader.objects()))


def export_read(key: UUID | str, read: Callable[[ExportReader], T]) -> T:
    """As `export_plan`, for who wants something else of it."""
    export = Export.objects.filter(pk=key).first()
    if export is None or export.state != ExportState.COMPLETE:
        state = export.state if export else "gone"
        raise PermanentError(f"The export is {state}; there is nothing to restore from.", code="no-export")
    try:
        with export_opened(export.storage_name) as stream:
            return read(ExportReader(cast(BinaryIO, stream), key_of(export)))
    except ExportDamaged as error:
        raise PermanentError(
            f"The export is damaged: {error}",
            code="export-damaged",
            hint="It was changed where it is kept. Restore from another one (marina export list), or from a backup of "
            "the storage.",
        ) from error
    except ExportStorageError as error:
        raise TemporaryError(str(error), code="storage") from error
