"""Reading: the exports that a user may see, and what is in one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db.models import Q, QuerySet

from accounts.access import in_reach, tombstones_told
from accounts.errors import Conflict, Gone, MarinaError
from accounts.models import User
from clusters.exports.container import ExportDamaged, ExportReader, Json
from clusters.exports.secrets import key_of
from clusters.exports.storage import ExportStorageError, export_opened
from clusters.models import Export, ExportState

_NOT_SHOWN: Final = ("key", "spec")


class StorageAway(MarinaError):
    """The storage for exports does not give out what it has."""

    code = "export-storage"
    status = 503


def exports_list(user: User) -> QuerySet[Export]:
    """Those of the clusters that a user may see, also of deleted ones."""
    visible = Export.objects.filter(in_reach(user, "virtualcluster.view", cluster="virtual_cluster"))
    return visible.select_related("virtual_cluster", "project__organization", "requested_by").defer(*_NOT_SHOWN)


def export_tombstones(user: User) -> Q:
    """Of exports whose rows went with their project's history."""
    return tombstones_told(user, in_project="virtualcluster.view")


@contextmanager
def export_content(export: Export) -> Iterator[ExportReader]:
    """What is in it, from its beginning. Raises what an answer tells where there is no file (any more), where it was

    changed (also while it is read), or where the storage is away.
    """
    if export.state == ExportState.REMOVED:
        raise Gone(f"This export is no longer there. {export.message}".strip())
    if export.state != ExportState.COMPLETE:
        raise Conflict(f"This export is {export.state}; there is nothing to read.", code="not-complete")
    try:
        with export_opened(export.storage_name) as file:
            yield ExportReader(file, key_of(export))
    except ExportDamaged as error:
        hint = "Use another export of this cluster, and tell whoever runs Marina's storage."
        raise Conflict(f"The file of this export is damaged. {error}", hint=hint, code="export-damaged") from error
    except ExportStorageError as error:
        raise StorageAway(str(error), hint="Try again later, or tell whoever runs Marina.") from error


def export_objects(export: Export) -> Iterator[Json]:
    """Each object of it."""
    with export_content(export) as reader:
        yield from reader.objects()


def export_manifest(export: Export) -> Json:
    """Its last line, after all of it was seen to be as it was written."""
    with export_content(export) as reader:
        for _ in reader.objects():
            pass
        return reader.manifest
