"""The end of exports: what was kept for long enough goes, and of what ended early nothing stays."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from clusters.models import Export, ExportState, Placement, PlacementRole, VirtualClusterPhase
from clusters.services.export_writing import export_fail
from clusters.services.exports import export_end, export_file_erase, restoring

BATCH: Final = 200


def exports_expire(*, now: datetime) -> int:
    """Removes those whose time is over, and says how many. Run by a schedule.

    The last one of a cluster that is asleep, Failed or half deleted stays, and that of one whose host is lost: nothing
    else can tell what is in it.
    """
    _left_unfinished_fail(now)
    removed = sum(_expire(export, now) for export in _over(now)[:BATCH])
    for key in _leftovers().values_list("pk", flat=True)[:BATCH]:
        _leftover_erase(key)
    return removed


def _leftovers() -> QuerySet[Export]:
    """Whose files are to go. A failed one whose operation goes on is being tried again."""
    over = Q(operation__isnull=True) | Q(operation__finished_at__isnull=False)
    return Export.objects.filter(Q(state=ExportState.REMOVED) | Q(over, state=ExportState.FAILED)).exclude(
        storage_name=""
    )


@transaction.atomic
def _leftover_erase(key: UUID) -> None:
    """Its row is held meanwhile: an attempt that begins now waits, and one that began before is left alone."""
    rows = Export.objects.select_for_update(skip_locked=True).filter(pk=key, pk__in=_leftovers().values("pk"))
    # by its own state, which is looked at once more when it is locked
    export = rows.filter(state__in=(ExportState.REMOVED, ExportState.FAILED)).first()
    if export is not None:
        export_file_erase(export.pk, export.folder)


def _over(now: datetime) -> QuerySet[Export]:
    later = Export.objects.filter(
        virtual_cluster=OuterRef("virtual_cluster"), state=ExportState.COMPLETE, finished_at__gt=OuterRef("finished_at")
    )
    over = Export.objects.filter(state=ExportState.COMPLETE, expires_at__lte=now)
    read = Q(virtual_cluster__phase__in=(VirtualClusterPhase.READY, VirtualClusterPhase.DELETED))
    lost = Placement.objects.filter(virtual_cluster=OuterRef("virtual_cluster"), role=PlacementRole.LOST)
    needed = Q(virtual_cluster__sleeping=True) | ~read | Exists(lost)
    return over.exclude(needed & ~Exists(later)).order_by("expires_at")


@transaction.atomic
def _expire(export: Export, now: datetime) -> bool:
    locked = Export.objects.select_for_update(skip_locked=True).filter(pk=export.pk, state=ExportState.COMPLETE).first()
    if locked is None or (locked.expires_at and locked.expires_at > now) or restoring(locked):
        return False
    export_end(export=locked, why="It was kept for as long as it was to be.", now=now)
    return True


def _left_unfinished_fail(now: datetime) -> None:
    """Whose operation was aborted while it waited, or is forgotten."""
    left = Export.objects.filter(state=ExportState.WRITING).filter(
        Q(operation__isnull=True) | Q(operation__finished_at__isnull=False)
    )
    for export in left.annotate(why=F("operation__message"))[:BATCH]:
        export_fail(export=export, why=export.why or "Its operation ended before it was complete.", now=now)
