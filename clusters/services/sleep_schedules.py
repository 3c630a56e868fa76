"""At what times clusters sleep, wake and are exported: what somebody wants."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from accounts.access import actor_require
from accounts.errors import InvalidInput
from accounts.models import Project
from accounts.services.audit import Actor, audit_record
from accounts.services.rows import row_lock, row_save
from clusters.lifecycle.times import CRON_ACCEPTED, cron_check, cron_seldom_check, zone_check
from clusters.models import SleepSchedule, VirtualCluster
from clusters.services.nights import project_night_forget
from clusters.services.schedule_planning import clusters_plan

FIELDS: Final = ("sleep_cron", "wake_cron", "export_cron", "time_zone", "enabled")
CRONS: Final = ("sleep_cron", "wake_cron", "export_cron")
EXPORTING: Final = ("export_cron", "sleep_cron")
"""Who falls asleep is exported, too."""
EXPORTS_APART: Final = timedelta(hours=1)
"""Each export holds everything, and is kept for weeks."""
EXPORTS_ACCEPTED: Final = "at most once an hour, such as `0 3 * * *` for 03:00 each night"


@transaction.atomic
def sleep_schedule_create(
    *, scope: Project | VirtualCluster, actor: Actor, now: datetime, wanted: Mapping[str, Any]
) -> SleepSchedule:
    """`wanted`: some of the schedule's fields. InvalidInput names the field. Conflict where the scope has one."""
    _require(actor, scope)
    column = "project" if isinstance(scope, Project) else "virtual_cluster"
    schedule = SleepSchedule(**{column: scope})
    _set(schedule, wanted)
    row_save(schedule, taken=f"{scope} has a schedule already; change that one.", field=column)
    _plan(schedule, now)
    _audit(actor, "sleep-schedule.create", schedule, after=_told(schedule))
    return schedule


@transaction.atomic
def sleep_schedule_update(
    *, schedule: SleepSchedule, actor: Actor, now: datetime, wanted: Mapping[str, Any]
) -> SleepSchedule:
    """Changes what is given. What was skipped or postponed of the times before is forgotten."""
    _require(actor, schedule.scope)
    row_lock(schedule)
    before = _told(schedule)
    _set(schedule, wanted)
    project_night_forget(schedule)
    schedule.save()
    _plan(schedule, now)
    _audit(actor, "sleep-schedule.update", schedule, before=before, after=_told(schedule))
    return schedule


@transaction.atomic
def sleep_schedule_delete(*, schedule: SleepSchedule, actor: Actor, now: datetime) -> None:
    """Clusters stay as they are. One of a cluster leaves it to the project's."""
    _require(actor, schedule.scope)
    _audit(actor, "sleep-schedule.delete", schedule, before=_told(schedule))
    theirs = list(_of_scope(schedule).values_list("pk", flat=True))
    schedule.delete()
    clusters_plan(VirtualCluster.objects.filter(pk__in=theirs), now=now)


def _plan(schedule: SleepSchedule, now: datetime) -> None:
    clusters_plan(_of_scope(schedule), now=now)


def _of_scope(schedule: SleepSchedule) -> Any:
    mine = Q(project=schedule.project_id) if schedule.project_id else Q(pk=schedule.virtual_cluster_id)
    return VirtualCluster.objects.filter(mine)


def _require(actor: Actor, scope: Project | VirtualCluster) -> None:
    action = "project.update" if isinstance(scope, Project) else "virtualcluster.lifecycle"
    actor_require(actor, action, scope)


def _set(schedule: SleepSchedule, wanted: Mapping[str, Any]) -> None:
    for name, value in wanted.items():
        setattr(schedule, name, value)
    sleep_schedule_check(schedule)


def sleep_schedule_check(schedule: SleepSchedule) -> None:
    """InvalidInput names the field that cannot be read, never comes, or makes no sense beside the others."""
    for name in CRONS:
        setattr(schedule, name, " ".join(getattr(schedule, name).split()))
    zone_check(schedule.time_zone)
    for name in CRONS:
        if getattr(schedule, name):
            cron_check(getattr(schedule, name), field=name, time_zone=schedule.time_zone)
    for name in EXPORTING:
        if getattr(schedule, name):
            cron_seldom_check(getattr(schedule, name), field=name, least=EXPORTS_APART, accepted=EXPORTS_ACCEPTED)
    _sense_check(schedule)


def _sense_check(schedule: SleepSchedule) -> None:
    """Times that can be read, and that nobody means."""
    if schedule.enabled and not any(getattr(schedule, name) for name in CRONS):
        raise InvalidInput(
            "The schedule says no time at all.",
            field="sleep_cron",
            accepted=CRON_ACCEPTED,
            hint="Delete a cluster's schedule, and it follows its project's (marina schedule delete).",
        )
    if schedule.sleep_cron and schedule.sleep_cron == schedule.wake_cron:
        raise InvalidInput(
            "It would sleep and wake at the same time.", field="wake_cron", accepted="another time than that to sleep"
        )


def _told(schedule: SleepSchedule) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in FIELDS}


def _audit(
    actor: Actor,
    action: str,
    schedule: SleepSchedule,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    scope = schedule.scope
    project = scope if isinstance(scope, Project) else scope.project
    audit_record(
        actor=actor,
        action=action,
        kind="sleep-schedule",
        object_id=schedule.pk,
        name=str(schedule)[:120],
        organization_id=project.organization_id,
        before=before,
        after=after,
    )
