"""Not tonight, for a whole project: the next time to sleep of each of its clusters is left out or comes later, once.

A cluster's own decision counts before its project's: one that somebody put off by itself is left as it is, and one that
its project put off may still decide otherwise (sleep_putting_off).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import Conflict, InvalidInput
from accounts.models import Project
from accounts.services.audit import Actor, audit_record
from clusters.lifecycle.times import cron_next
from clusters.models import SleepSchedule, VirtualCluster, VirtualClusterPhase
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.nights import (
    night_postpone,
    night_skip,
    project_night_forget,
    put_off_now,
    seconds_latest,
)
from clusters.services.schedule_planning import PLAN, clusters_plan, clusters_unplanned, schedules_of

SECONDS_MINIMUM: Final = 60
SECONDS_MOST: Final = 86400


@dataclass(frozen=True)
class ProjectNight:
    """What became of a project's clusters: all that are to sleep, as they are planned now."""

    project: Project
    clusters: tuple[VirtualCluster, ...]

    @property
    def own(self) -> tuple[VirtualCluster, ...]:
        """Those that somebody put off by themselves, which stay so."""
        return tuple(each for each in self.clusters if not each.sleep_put_off_for_project)


@dataclass(frozen=True)
class _Locked:
    """The project's schedule where it has one that puts to sleep, and its clusters that are to, each with theirs."""

    project: Project
    schedule: SleepSchedule | None
    rows: tuple[tuple[VirtualCluster, SleepSchedule], ...]

    def following(self, now: datetime) -> Iterable[tuple[VirtualCluster, SleepSchedule]]:
        """Those that have not decided by themselves."""
        return (
            (row, schedule) for row, schedule in self.rows if row.sleep_put_off_for_project or not put_off_now(row, now)
        )


@dataclass(frozen=True)
class _Change:
    """A cluster that was put off, and when it was to sleep before."""

    row: VirtualCluster
    before: datetime | None


@transaction.atomic
def project_sleep_skip(*, project: Project, actor: Actor, now: datetime) -> ProjectNight:
    """Leaves the next time to sleep of each of its clusters out. Asked again before it has passed, changes nothing."""
    locked = _locked(project, actor, now)
    changed = []
    for row, schedule in locked.following(now):
        if row.sleep_skipped_at is None or row.sleep_skipped_at <= now:
            changed.append(_Change(row, row.next_sleep_at))
            night_skip(row, schedule, by=actor.label, for_project=True)
    if (told := locked.schedule) is not None and not (told.skipped_at and told.skipped_at > now):
        # what was postponed is left out with the time that it came from
        postponed = told.postponed_at if told.postponed_to is not None and told.postponed_to > now else None
        at = postponed or cron_next(told.sleep_cron, told.time_zone, now)
        project_night_forget(told)
        told.skipped_at, told.put_off_by = at, actor.label[:160]
        told.save()
    return _saved(locked, changed, actor, "sleep-skip", {})


@transaction.atomic
def project_sleep_postpone(*, project: Project, seconds: int, actor: Actor, now: datetime) -> ProjectNight:
    """Moves the next time to sleep of each of its clusters by so much, once.

    One that would wake, or sleep again, before that is left out: it stays awake until then. InvalidInput where that is
    so by the project's own schedule.
    """
    locked = _locked(project, actor, now)
    _once(locked, now)
    _seconds_check(locked, seconds, now)
    changed = []
    for row, schedule in locked.following(now):
        changed.append(_Change(row, row.next_sleep_at))
        _postpone(row, schedule, seconds, actor.label)
    if (told := locked.schedule) is not None:
        project_night_forget(told)
        told.postponed_at = at = cron_next(told.sleep_cron, told.time_zone, now)
        told.postponed_to = at + timedelta(seconds=seconds) if at else None
        told.put_off_by = actor.label[:160]
        told.save()
    return _saved(locked, changed, actor, "sleep-postpone", {"by": seconds})


def _postpone(row: VirtualCluster, schedule: SleepSchedule, seconds: int, by: str) -> None:
    assert row.next_sleep_at is not None  # noqa: S101 - only such ones were read
    if seconds < seconds_latest(schedule, row.next_sleep_at):
        night_postpone(row, seconds, by=by, for_project=True)
    else:
        night_skip(row, schedule, by=by, for_project=True)


def _locked(project: Project, actor: Actor, now: datetime) -> _Locked:
    actor_require(actor, "virtualcluster.lifecycle", project)
    schedules = SleepSchedule.objects.select_for_update(of=("self",), no_key=True)
    own = schedules.filter(project=project, enabled=True).exclude(sleep_cron="").first()
    of_project = VirtualCluster.objects.filter(project=project)
    clusters_plan(of_project.filter(pk__in=clusters_unplanned().filter(project=project).values("pk")), now=now)
    living = of_project.exclude(phase=VirtualClusterPhase.DELETED).filter(next_sleep_at__isnull=False)
    locked = living.select_for_update(of=("self",), no_key=True).select_related("project__organization")
    rows = list(locked.order_by("pk"))
    found = schedules_of(rows)
    theirs = tuple((row, schedule) for row in rows if (schedule := found[row.pk]) is not None)
    if own is None and not theirs:
        raise Conflict(
            f"No schedule puts anything of {project} to sleep.",
            hint=f"Give it one with `marina schedule set --project {project} --sleep '0 20 * * MON-FRI'`.",
        )
    return _Locked(project, own, theirs)


def _once(locked: _Locked, now: datetime) -> None:
    told = locked.schedule
    by_schedule = told is not None and any(at is not None and at > now for at in (told.skipped_at, told.postponed_to))
    if by_schedule or any(row.sleep_put_off_for_project and put_off_now(row, now) for row, _ in locked.rows):
        raise Conflict(
            f"The time at which {locked.project} sleeps next was left out or moved already.",
            hint=f"Leave it out altogether with `marina schedule skip --project {locked.project}`.",
        )


def _seconds_check(locked: _Locked, seconds: int, now: datetime) -> None:
    most = SECONDS_MOST
    if (told := locked.schedule) is not None and (at := cron_next(told.sleep_cron, told.time_zone, now)) is not None:
        most = seconds_latest(told, at)
    if not SECONDS_MINIMUM <= seconds < most:
        raise InvalidInput(
            f"It cannot be postponed by {seconds} s.",
            field="by",
            accepted=f"{SECONDS_MINIMUM} to {most - 1} seconds: then it wakes, or sleeps the next time",
        )


def _saved(locked: _Locked, changed: list[_Change], actor: Actor, what: str, details: dict[str, int]) -> ProjectNight:
    VirtualCluster.objects.bulk_update([each.row for each in changed], PLAN, batch_size=500)
    night = ProjectNight(locked.project, tuple(row for row, _ in locked.rows))
    project = locked.project
    audit_record(
        actor=actor,
        action=f"project.{what}",
        kind="project",
        object_id=project.pk,
        name=str(project),
        organization_id=project.organization_id,
        details={**details, "virtual_clusters": len(changed), "left": [each.name for each in night.own]},
    )
    for each in changed:
        virtual_cluster_audit(
            actor,
            f"virtualcluster.{what}",
            each.row,
            before={"next_sleep_at": _time(each.before)},
            after={"next_sleep_at": _time(each.row.next_sleep_at)},
            details={"for_project": str(project)},
        )
    return night


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
