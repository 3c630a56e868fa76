"""Does what schedules say, each time once: it is claimed in the cluster's row, in the transaction that does it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q

from accounts.errors import MarinaError
from accounts.services.audit import Actor
from clusters.lifecycle.deciding import CLEANUP
from clusters.lifecycle.times import cron_last, cron_next, zone
from clusters.models import ExportCause, SleepSchedule, VirtualCluster, VirtualClusterPhase
from clusters.services.exports import export_start
from clusters.services.nights import put_off_forget
from clusters.services.schedule_planning import KINDS, PLAN, clusters_plan, clusters_unplanned, schedules_of
from clusters.services.sleeping import virtual_cluster_sleep, virtual_cluster_wake

ACTOR: Final = Actor(user=None, name="marina schedule")
AT_ONCE: Final = 500
"""Clusters a round; the next one comes soon."""
_REST: Final = (VirtualClusterPhase.READY, VirtualClusterPhase.ASLEEP)
_BUSY: Final = (
    VirtualClusterPhase.UPDATING,
    VirtualClusterPhase.UPGRADING,
    VirtualClusterPhase.MIGRATING,
    VirtualClusterPhase.FALLING_ASLEEP,
    VirtualClusterPhase.WAKING,
)
"""In these something is being done with it that ends; its turn waits until then."""
log = structlog.get_logger(__name__)


def sleep_schedules_run(*, now: datetime) -> int:
    """Does what is due of all clusters' schedules; says of how many. Two at once share the work.

    Of what was missed only the newest is done: of a time to sleep and a later one to wake, the one to wake. While a
    cluster is being changed, or falls asleep or wakes, its turn waits, and is then caught up in the same way.
    """
    with transaction.atomic():
        clusters_plan(VirtualCluster.objects.filter(pk__in=clusters_unplanned().values("pk")[:AT_ONCE]), now=now)
    due = list(VirtualCluster.objects.filter(_due(now)).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    return sum(_run(key, now) for key in due)


def _due(now: datetime) -> Q:
    found = Q(next_sleep_at__lte=now) | Q(next_wake_at__lte=now) | Q(next_export_at__lte=now)
    return found & ~Q(phase__in=(VirtualClusterPhase.DELETED, *_BUSY))


@transaction.atomic
def _run(key: UUID, now: datetime) -> bool:
    rows = VirtualCluster.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    cluster = rows.select_related("project__organization").filter(_due(now), pk=key).first()
    if cluster is None:  # another scheduler has it, or had it
        return False
    schedule = schedules_of([cluster])[cluster.pk]
    missed = _newest(cluster, schedule, now) if schedule else {}
    _move_on(cluster, schedule, now)
    if cluster.phase in _REST and schedule is not None:
        _do(cluster, schedule, missed, now)
    return True


def _newest(cluster: VirtualCluster, schedule: SleepSchedule, now: datetime) -> dict[str, datetime]:
    """Of what is due: the newest time of each kind. A time that was postponed may be later than its cron."""
    found = {}
    for kind in KINDS:
        planned: datetime | None = getattr(cluster, f"next_{kind}_at")
        cron = getattr(schedule, f"{kind}_cron")
        if planned is not None and planned <= now and cron:
            found[kind] = max(planned, cron_last(cron, schedule.time_zone, now) or planned)
    return found


def _move_on(cluster: VirtualCluster, schedule: SleepSchedule | None, now: datetime) -> None:
    """Only what was due: another time may have been skipped or postponed."""
    for kind in KINDS:
        planned = getattr(cluster, f"next_{kind}_at")
        if planned is None or planned > now:
            continue
        cron = getattr(schedule, f"{kind}_cron") if schedule else ""
        setattr(cluster, f"next_{kind}_at", cron_next(cron, schedule.time_zone, now) if schedule and cron else None)
        if kind == "sleep":
            put_off_forget(cluster)
    cluster.save(update_fields=PLAN)


def _do(cluster: VirtualCluster, schedule: SleepSchedule, missed: Mapping[str, datetime], now: datetime) -> None:
    if "export" in missed and cluster.phase == VirtualClusterPhase.READY:
        _attempt(cluster, "export", lambda: _export(cluster, now))
    turns = {kind: at for kind, at in missed.items() if kind != "export"}
    if not turns:
        return
    kind = max(turns, key=lambda each: turns[each])
    at = turns[kind].astimezone(zone(schedule.time_zone))
    why = f"It is {kind} time: {at:%Y-%m-%d %H:%M} {schedule.time_zone}."
    if kind == "sleep" and not cluster.sleeping:
        _attempt(cluster, kind, lambda: _sleep(cluster, schedule, why, now))
    # what was put to sleep because nobody uses it sleeps until somebody does
    if kind == "wake" and cluster.asleep_by != CLEANUP:
        _attempt(cluster, kind, lambda: _wake(cluster, why, now))


def _sleep(cluster: VirtualCluster, schedule: SleepSchedule, why: str, now: datetime) -> None:
    virtual_cluster_sleep(virtual_cluster=cluster, actor=ACTOR, now=now, by=str(schedule)[:160], why=why)


def _wake(cluster: VirtualCluster, why: str, now: datetime) -> None:
    if cluster.sleeping or cluster.phase == VirtualClusterPhase.ASLEEP:
        virtual_cluster_wake(virtual_cluster=cluster, actor=ACTOR, now=now, why=why)


def _export(cluster: VirtualCluster, now: datetime) -> None:
    export_start(virtual_cluster=cluster, actor=ACTOR, now=now, cause=ExportCause.SCHEDULE)


def _attempt(cluster: VirtualCluster, what: str, do: Callable[[], None]) -> None:
    """What is in the way today is no reason to try again before the next time."""
    try:
        with transaction.atomic():
            do()
    except MarinaError as error:
        log.info("a schedule's turn was refused", virtual_cluster=str(cluster.pk), what=what, why=str(error))
