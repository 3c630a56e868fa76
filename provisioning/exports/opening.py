"""From an export's row to what its file asks for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, TypeVar, cast
from uuid import UUID

from clusters.exports.container import ExportDamaged, ExportReader
from clusters.exports.secrets import key_of
from clusters.exports.storage import ExportStorageError, export_opened
from clusters.models import Export, ExportState
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.exports.restoring import RestorePlan, restore_plan

T = TypeVar("T")
_EVERY: Final = 1000


def export_plan(key: UUID | str) -> RestorePlan:
    """Reads the whole file. PermanentError where it is gone, or is not as it was written; then nothing was changed."""
    return export_read(key, lambda reader: restore_plan(reader.objects()))


def export_read(key: UUID | str, read: Callable[[ExportReader], T]) -> T:
    """As `export_plan`, for who wants something else of it."""
    export = Export.objects.filter(pk=key).first()
    if export is None or export.state != ExportState.COMPLETE:
        state = export.state if export else "gone"
        raise PermanentError(f"The export is {state}; there is nothing to restore from.", code="no-export")
    with _opened(export) as reader:
        return read(reader)


def export_whole_check(export: Export, *, meanwhile: Callable[[], None]) -> None:
    """Reads a Complete one to its end: before what it alone still tells of is taken away. Raises as `export_plan` does.

    `meanwhile` runs now and then, and may raise to end it.
    """
    with _opened(export) as reader:
        for number, _ in enumerate(reader.objects()):
            if number % _EVERY == 0:
                meanwhile()


@contextmanager
def _opened(export: Export) -> Iterator[ExportReader]:
    try:
        with export_opened(export.storage_name) as stream:
            yield ExportReader(cast(BinaryIO, stream), key_of(export))
    except ExportDamaged as error:
        raise PermanentError(
            f"The export is damaged: {error}",
            code="export-damaged",
            hint="It was changed where it is kept. Restore from another one (marina export list), or from a backup of "
            "the storage.",
        ) from error
    except ExportStorageError as error:
        raise TemporaryError(str(error), code="storage") from error
