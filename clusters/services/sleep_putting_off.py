"""Not tonight: a cluster's next time to sleep is left out or comes later, once. Of a project: project_nights.py."""

from datetime import datetime
from typing import Final

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import Conflict, InvalidInput
from accounts.services.audit import Actor
from clusters.lifecycle.spans import span_text
from clusters.models import SleepSchedule, VirtualCluster, VirtualClusterPhase
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.nights import night_postpone, night_skip, put_off_now, put_off_take_back, seconds_latest
from clusters.services.ownership import owner_may
from clusters.services.schedule_planning import PLAN, schedules_of

SECONDS_MINIMUM: Final = 60


@transaction.atomic
def sleep_skip(*, virtual_cluster: VirtualCluster, actor: Actor, now: datetime) -> VirtualCluster:
    """Leaves its next time to sleep out. Asked again before that time has passed, it changes nothing."""
    locked, schedule, planned = _planned(virtual_cluster, actor)
    if locked.sleep_skipped_at is not None and locked.sleep_skipped_at > now:
        if not locked.sleep_put_off_for_project:
            return locked
        # what its project left out, it now leaves out by itself
        put_off_take_back(locked, now)
    night_skip(locked, schedule, by=actor.label)
    return _audit_saved(locked, actor, "virtualcluster.sleep-skip", planned)


@transaction.atomic
def sleep_postpone(*, virtual_cluster: VirtualCluster, seconds: int, actor: Actor, now: datetime) -> VirtualCluster:
    """Moves its next time to sleep by so much, once, and not beyond the next time to wake or to sleep again."""
    locked, schedule, planned = _planned(virtual_cluster, actor)
    if locked.sleep_put_off_for_project and put_off_now(locked, now):
        put_off_take_back(locked, now)
        planned = locked.next_sleep_at or planned
    if locked.sleep_postponed_at is not None:
        raise Conflict(
            f"The time at which {locked} sleeps next was moved once already, to {planned:%Y-%m-%d %H:%M} UTC.",
            hint=f"Leave it out altogether with `marina schedule skip {locked.name}`.",
        )
    most = seconds_latest(schedule, planned)
    if not SECONDS_MINIMUM <= seconds < most:
        raise InvalidInput(
            f"It cannot be postponed by {span_text(seconds)}.",
            field="by",
            accepted=f"{SECONDS_MINIMUM} to {most - 1} seconds: less than the {span_text(most)} after which it wakes, "
            "or sleeps the next time",
        )
    night_postpone(locked, seconds, by=actor.label)
    return _audit_saved(locked, actor, "virtualcluster.sleep-postpone", planned)


def _planned(cluster: VirtualCluster, actor: Actor) -> tuple[VirtualCluster, SleepSchedule, datetime]:
    if not owner_may(actor.user, "virtualcluster.lifecycle", cluster):
        actor_require(actor, "virtualcluster.lifecycle", cluster)
    locked = (
        VirtualCluster.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project__organization")
        .get(pk=cluster.pk)
    )
    schedule = schedules_of([locked])[locked.pk]
    if schedule is None or locked.next_sleep_at is None or locked.phase == VirtualClusterPhase.DELETED:
        raise Conflict(
            f"No schedule puts {locked} to sleep.",
            hint=f"Give it one with `marina schedule set {locked.name} --sleep '0 20 * * MON-FRI'`.",
        )
    return locked, schedule, locked.next_sleep_at


def _audit_saved(cluster: VirtualCluster, actor: Actor, action: str, before: datetime) -> VirtualCluster:
    cluster.save(update_fields=PLAN)
    virtual_cluster_audit(
        actor,
        action,
        cluster,
        before={"next_sleep_at": before.isoformat()},
        after={"next_sleep_at": cluster.next_sleep_at.isoformat() if cluster.next_sleep_at else None},
    )
    return cluster
