"""Drives rollouts: counts what ended, halts, goes on to the next wave, and begins what has its turn.

Each is advanced in one transaction under its row's lock, and an operation is begun in the transaction that writes it to
its member. So a process that dies between leaves nothing half done, two at once never begin one cluster twice, and a
message that is lost only means that the next one does it.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.access import platform_staff
from accounts.services.audit import Actor
from clusters.models import WORKING_MEMBERS, Rollout, RolloutMember, RolloutMemberState, RolloutState
from clusters.services.rollout_members import Turn, member_begin, member_judge
from clusters.services.rollout_notices import rollout_tell
from clusters.services.rollouts import rollout_audit

MARINA: Final = Actor(user=None, name="marina rollout")
TRIED_AT_ONCE: Final = 100
"""Members that a round tries to begin, skipped and busy ones included; the next one comes soon."""
log = structlog.get_logger(__name__)


def rollouts_advance(*, now: datetime) -> int:
    """Advances each rollout that is at work; says how many. Run by a schedule; two at once share the work."""
    return sum(_advanced(key, now) for key in list(_at_work().order_by("pk").values_list("pk", flat=True)))


def _at_work() -> QuerySet[Rollout]:
    working = RolloutMember.objects.filter(rollout=OuterRef("pk"), state__in=WORKING_MEMBERS)
    return Rollout.objects.filter(Q(state__in=(RolloutState.RUNNING, RolloutState.ABORTING)) | Exists(working))


def _advanced(key: UUID, now: datetime) -> bool:
    """What is wrong with one keeps no other back."""
    try:
        return rollout_advance(key, now=now)
    except Exception:
        log.exception("a rollout could not be advanced", rollout=str(key))
        return False


@transaction.atomic
def rollout_advance(key: UUID, *, now: datetime) -> bool:
    """One round of one rollout; False where another has it, or had it."""
    rows = Rollout.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    rollout = rows.select_related("organization", "project", "created_by").filter(pk=key).first()
    if rollout is None or rollout.ended:
        return False
    before = (rollout.state, rollout.message, rollout.wave, rollout.next_wave_at)
    for member in _working(rollout):
        member_judge(rollout, member, now=now)
    _go_on(rollout, now)
    if before != (rollout.state, rollout.message, rollout.wave, rollout.next_wave_at):
        rollout.save()
    return True


def _working(rollout: Rollout) -> QuerySet[RolloutMember]:
    return rollout.members.filter(state__in=WORKING_MEMBERS).select_related("operation", "virtual_cluster")


def _counts(rollout: Rollout) -> Counter[str]:
    return Counter(rollout.members.order_by().values_list("state", flat=True))


def _go_on(rollout: Rollout, now: datetime) -> None:
    counts = _counts(rollout)
    working = sum(counts[each] for each in WORKING_MEMBERS)
    if not working and not counts[RolloutMemberState.QUEUED]:
        _end(rollout, counts, now)
    elif rollout.state == RolloutState.RUNNING and not _halted(rollout, counts, now):
        if (maker := rollout.created_by) is not None and not _may_act(rollout):
            _halt(rollout, f"{maker.handle}, in whose name it acts, is not active or has no such power any more.", now)
        elif _wave_open(rollout, now):
            _begin(rollout, working, now)
            _settle(rollout, now)


def _settle(rollout: Rollout, now: datetime) -> None:
    """What was skipped or refused as it was to begin counts in this round already."""
    counts = _counts(rollout)
    if not sum(counts[each] for each in (*WORKING_MEMBERS, RolloutMemberState.QUEUED)):
        _end(rollout, counts, now)
    else:
        _halted(rollout, counts, now)


# --- whether it goes on -----------------------------------------------------------------------------------------------


def _halted(rollout: Rollout, counts: Counter[str], now: datetime) -> bool:
    """Halts it where more failed than may."""
    failed, allowed = counts[RolloutMemberState.FAILED] - rollout.failures_forgiven, rollout.failures_allowed
    if failed <= allowed:
        return False
    may = "none may" if not allowed else f"{allowed} may"
    why = f"{failed} of its clusters failed, and {may}. Look at them, then resume, retry or abort it."
    _halt(rollout, why, now)
    return True


def _halt(rollout: Rollout, why: str, now: datetime) -> None:
    rollout.state, rollout.message = RolloutState.HALTED, f"It is halted: {why}"
    rollout_audit(MARINA, "rollout.halt", rollout, details={"why": why})
    rollout_tell(rollout, "rollout-halted", now=now, command="get")


def _end(rollout: Rollout, counts: Counter[str], now: datetime) -> None:
    failed = counts[RolloutMemberState.FAILED]
    ends = RolloutState.COMPLETED if failed else RolloutState.SUCCEEDED
    rollout.state = RolloutState.ABORTED if rollout.state == RolloutState.ABORTING else ends
    told = ", ".join(f"{counts[each]} {each.lower()}" for each in RolloutMemberState if counts[each])
    rollout.message = f"It has ended: {told}."
    rollout.finished_at, rollout.next_wave_at = now, None
    rollout_audit(MARINA, "rollout.end", rollout, details={"state": rollout.state, "clusters": dict(counts)})
    rollout_tell(rollout, "rollout-ended", now=now, command="get")


def _may_act(rollout: Rollout) -> bool:
    maker = rollout.created_by
    if maker is None or not maker.is_active:
        return maker is None
    return rollout.organization_id is not None or platform_staff(maker)


# --- waves ------------------------------------------------------------------------------------------------------------


def _wave_open(rollout: Rollout, now: datetime) -> bool:
    """Whether something may begin: the wave is not done yet, or the next one has come."""
    turns = rollout.members.filter(state__in=(RolloutMemberState.QUEUED, *WORKING_MEMBERS))
    open_waves = sorted(set(turns.order_by().values_list("wave", flat=True)))
    if open_waves[0] <= rollout.wave:
        return True
    done = rollout.wave + 1
    if rollout.pause_seconds is None:
        rollout.wave, rollout.state = open_waves[0], RolloutState.PAUSED
        rollout.message = f"Wave {done} is done. It waits for somebody to resume it."
        rollout_tell(rollout, "rollout-paused", now=now, command="resume")
        return False
    if rollout.next_wave_at is None and rollout.pause_seconds:
        rollout.next_wave_at = now + timedelta(seconds=rollout.pause_seconds)
        rollout.message = f"Wave {done} is done; the next one begins at {rollout.next_wave_at:%Y-%m-%d %H:%M:%S} UTC."
    if rollout.next_wave_at is not None and rollout.next_wave_at > now:
        return False
    rollout.wave, rollout.next_wave_at = open_waves[0], None
    return True


def _begin(rollout: Rollout, working: int, now: datetime) -> None:
    rollout.message = f"Wave {rollout.wave + 1} is at work."
    due = Q(not_before=None) | Q(not_before__lte=now)
    queued = rollout.members.filter(due, state=RolloutMemberState.QUEUED, wave__lte=rollout.wave)
    turn = Turn.of(rollout, now=now)
    for member in queued.select_related("virtual_cluster__project__organization")[:TRIED_AT_ONCE]:
        if working >= rollout.max_parallel:
            return
        member_begin(turn, member)
        working += member.state == RolloutMemberState.RUNNING
