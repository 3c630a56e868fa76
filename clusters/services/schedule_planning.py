"""When the schedule of each cluster acts next. It stands in the cluster's row, where lists and the schedule read it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Final
from uuid import UUID

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from clusters.lifecycle.times import cron_next
from clusters.models import SleepSchedule, VirtualCluster, VirtualClusterPhase
from clusters.services.nights import project_night_follow, put_off_forget

KINDS: Final = ("sleep", "wake", "export")
PLAN: Final = (
    "planned_by",
    "next_sleep_at",
    "next_wake_at",
    "next_export_at",
    "sleep_skipped_at",
    "sleep_postponed_at",
    "sleep_put_off_by",
    "sleep_put_off_for_project",
)


def schedules_of(clusters: Iterable[VirtualCluster]) -> Mapping[UUID, SleepSchedule | None]:
    """By cluster the schedule that counts: its own, else its project's; None where that is off or not there."""
    found = list(clusters)
    rows = SleepSchedule.objects.filter(
        Q(virtual_cluster__in=[each.pk for each in found]) | Q(project__in={each.project_id for each in found})
    )
    by_scope = {row.virtual_cluster_id or row.project_id: row for row in rows}
    chosen = {each.pk: by_scope.get(each.pk) or by_scope.get(each.project_id) for each in found}
    return {key: row if row is not None and row.enabled else None for key, row in chosen.items()}


def clusters_plan(clusters: QuerySet[VirtualCluster], *, now: datetime) -> int:
    """Sets anew when they sleep, wake and are exported next; says how many. For a change of schedules."""
    living = clusters.exclude(phase=VirtualClusterPhase.DELETED).order_by("pk")
    rows = list(living.select_for_update(of=("self",), no_key=True).only("project_id", *PLAN))
    schedules = schedules_of(rows)
    times = cache(cron_next)  # the clusters of a project share their times
    for row in rows:
        schedule = schedules[row.pk]
        row.planned_by = schedule
        put_off_forget(row)
        for kind in KINDS:
            cron = getattr(schedule, f"{kind}_cron") if schedule else ""
            setattr(row, f"next_{kind}_at", times(cron, schedule.time_zone, now) if schedule and cron else None)
        if schedule is not None and schedule.project_id:
            project_night_follow(row, schedule)
    VirtualCluster.objects.bulk_update(rows, PLAN, batch_size=500)
    return len(rows)


def clusters_unplanned() -> QuerySet[VirtualCluster]:
    """Those whose next times are not from the schedule that counts: new ones, and those that changed their project."""
    enabled = SleepSchedule.objects.filter(enabled=True)
    own = SleepSchedule.objects.filter(virtual_cluster=OuterRef("pk")).values("pk")[:1]
    own_enabled = enabled.filter(virtual_cluster=OuterRef("pk")).values("pk")[:1]
    of_project = enabled.filter(project=OuterRef("project")).values("pk")[:1]
    living = VirtualCluster.objects.exclude(phase=VirtualClusterPhase.DELETED)
    named = living.annotate(own=Subquery(own), own_enabled=Subquery(own_enabled), of_project=Subquery(of_project))
    counts = named.annotate(counts=Coalesce("own_enabled", "of_project"))
    # one of its own that is switched off keeps the project's away
    off = Q(own__isnull=False, own_enabled__isnull=True)
    wrong = (
        Q(planned_by__isnull=True, counts__isnull=False)
        | Q(planned_by__isnull=False, counts__isnull=True)
        | Q(planned_by__isnull=False, counts__isnull=False) & ~Q(planned_by=F("counts"))
    )
    return counts.filter(off & Q(planned_by__isnull=False) | ~off & wrong)
