"""What people decide of a rollout while it goes on: pause, resume, abort, and failed clusters once more."""

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.errors import Conflict
from accounts.services.audit import Actor
from accounts.services.rows import row_lock
from clusters.access_rollouts import rollout_require
from clusters.models import ENDED_ROLLOUTS, Rollout, RolloutMember, RolloutMemberState, RolloutState
from clusters.services.rollouts import rollout_audit, rollout_free_check


@transaction.atomic
def rollout_pause(*, rollout: Rollout, actor: Actor, now: datetime) -> Rollout:
    """Begins nothing more until it is resumed; what is at work goes on. One that is paused stays so."""
    _open(rollout, actor)
    if rollout.state == RolloutState.PAUSED:
        return rollout
    if rollout.state != RolloutState.RUNNING:
        raise Conflict(f"{rollout} is {rollout.state}, so there is nothing to pause.")
    return _state_audited(rollout, actor, "rollout.pause", RolloutState.PAUSED, f"{actor.label} paused it.")


@transaction.atomic
def rollout_resume(*, rollout: Rollout, actor: Actor, now: datetime) -> Rollout:
    """Goes on, also where a pause between waves has a time. After a halt the failures so far count no more."""
    _open(rollout, actor)
    if rollout.state == RolloutState.ABORTING:
        raise Conflict(f"{rollout} is being aborted.", hint="Make another one for what is left.")
    if rollout.state == RolloutState.RUNNING and rollout.next_wave_at is None:
        return rollout
    if rollout.state == RolloutState.HALTED:
        rollout.failures_forgiven = rollout.members.filter(state=RolloutMemberState.FAILED).count()
    if rollout.next_wave_at is not None:
        rollout.next_wave_at = now
    return _state_audited(rollout, actor, "rollout.resume", RolloutState.RUNNING, f"{actor.label} resumed it.")


@transaction.atomic
def rollout_abort(*, rollout: Rollout, actor: Actor, now: datetime) -> Rollout:
    """Skips what has not begun; what is at work ends by itself, and then the rollout does."""
    _open(rollout, actor)
    if rollout.state == RolloutState.ABORTING:
        return rollout
    queued = rollout.members.filter(state=RolloutMemberState.QUEUED)
    queued.update(
        state=RolloutMemberState.SKIPPED, message=f"{actor.label} aborted the rollout before.", finished_at=now
    )
    message = f"{actor.label} aborted it; what is at work ends by itself."
    return _state_audited(rollout, actor, "rollout.abort", RolloutState.ABORTING, message)


@transaction.atomic
def rollout_retry(*, rollout: Rollout, actor: Actor, now: datetime) -> Rollout:
    """Queues the clusters that failed once more, and lets it go on, also one that had ended. Conflict without any."""
    rollout_require(actor, rollout)
    row_lock(rollout)
    if rollout.state in (RolloutState.ABORTING, RolloutState.ABORTED):
        raise Conflict(f"{rollout} was aborted.", hint="Make another one for what is left.")
    failed = list(rollout.members.filter(state=RolloutMemberState.FAILED).select_related("virtual_cluster"))
    if not failed:
        raise Conflict(f"Nothing of {rollout} has failed.")
    rollout_free_check([each.virtual_cluster for each in failed], actor)
    _requeue(rollout, failed)
    rollout.failures_forgiven = 0
    rollout.finished_at = None
    return _state_audited(
        rollout, actor, "rollout.retry", RolloutState.RUNNING, f"{actor.label} has {len(failed)} tried again."
    )


def _requeue(rollout: Rollout, members: Sequence[RolloutMember]) -> None:
    rows = RolloutMember.objects.filter(pk__in=[each.pk for each in members])
    try:
        with transaction.atomic():
            rows.update(
                state=RolloutMemberState.QUEUED,
                message="It is tried again.",
                operation=None,
                phase_before="",
                **dict.fromkeys(("not_before", "soaks_until", "started_at", "finished_at")),
            )
    except IntegrityError:
        raise Conflict(f"Another rollout just took a cluster of {rollout}.", code="rollout-in-the-way") from None


def _open(rollout: Rollout, actor: Actor) -> None:
    """Locks it, for who may decide. Raises Conflict where it has ended."""
    rollout_require(actor, rollout)
    row_lock(rollout)
    if rollout.state in ENDED_ROLLOUTS:
        raise Conflict(f"{rollout} has ended: {rollout.state}.")


def _state_audited(rollout: Rollout, actor: Actor, action: str, state: RolloutState, message: str) -> Rollout:
    before = rollout.state
    rollout.state, rollout.message = state, message
    try:
        with transaction.atomic():
            rollout.save()
    except IntegrityError:  # one that had ended, whose name another has now
        raise Conflict(f"Another rollout is named {rollout} by now.", hint="Make a new one.") from None
    rollout_audit(actor, action, rollout, details={"before": {"state": before}, "after": {"state": state}})
    return rollout
