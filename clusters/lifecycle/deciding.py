"""What becomes of one cluster: a pure function of what is known of it, of what its owners want, and of the time.

- It sleeps after `sleep_after` without use, and is to be deleted after `delete_after`; time asleep counts as unused.
- Its lifetime (`expires_at`) ends in the same way, used or not.
- Before a deletion its owner is warned at least twice, and there really are the spans between the warnings and before
  the deletion that the policy names: a sweep that was late moves the date, never the warnings closer together.
- What is not known is never idle. Deletion protection always wins.
- Where traffic from outside cannot be seen, the owner has to say yes before it is deleted as unused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from clusters.lifecycle.policy import ResolvedPolicy
from clusters.lifecycle.signal import Signal, SignalKind
from clusters.lifecycle.use import REQUIRED, Use, signal_missing, use_of
from clusters.models import CleanupAction as Action
from clusters.models import CleanupCause as Cause
from clusters.models import CleanupState as State
from clusters.models import VirtualClusterPhase as Phase

CLEANUP: Final = "marina cleanup"
"""Who puts to sleep and deletes what nobody uses; no schedule wakes what it put to sleep."""
STALE_AFTER: Final = timedelta(hours=6)
"""A signal that nobody looked at for so long tells nothing."""
FRESH_FOR: Final = timedelta(days=2)
"""So long after its date a deletion leans on its last warning; later its owner is warned anew."""
TRIED_AGAIN_AFTER: Final = timedelta(days=1)
"""A deletion that was begun and did not succeed."""
_AT_REST: Final = frozenset({Phase.READY, Phase.ASLEEP, Phase.FAILED})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """That it is to be deleted: when, why, and when its owner was told."""

    cause: Cause
    at: datetime
    warned: tuple[datetime, ...]
    state: State = State.WARNED


@dataclass(frozen=True, kw_only=True)
class ClusterFacts:
    """What is known of a cluster.

    `serving`: whether workloads run in it; None: nobody has looked. `woken_at`: when it was woken last, by whatever, or
    was to fall asleep and did not.
    """

    phase: str
    created_at: datetime
    signals: tuple[Signal, ...]
    required: frozenset[SignalKind] = REQUIRED
    asleep_since: datetime | None = None
    woken_at: datetime | None = None
    woken_by_person_at: datetime | None = None
    protected: bool = False
    serving: bool | None = None
    expires_at: datetime | None = None
    kept_until: datetime | None = None
    plan: Plan | None = None
    consent_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do now. `plan` is the plan as it stands after it, `next_at` when something comes of its own accord."""

    action: Action
    why: str
    plan: Plan | None = None
    next_at: datetime | None = None
    unknown: tuple[str, ...] = field(default=())
    """Why it cannot be said whether it is used."""
    use: Use | None = None


class _Waits(StrEnum):
    CONSENT = "Its date has come; it is deleted once its owner says yes, because its web traffic cannot be seen."
    LOOK = "Its date has come; it is deleted once it was looked at since."
    TRIED = "Its deletion was begun and is not done; it is begun again a day later."


@dataclass(frozen=True)
class _Deadline:
    cause: Cause
    at: datetime
    why: str


def decide(facts: ClusterFacts, policy: ResolvedPolicy, now: datetime, *, after_gap: bool = False) -> Decision:
    """`after_gap`: the sweep before was long ago; then nothing is deleted, and what is due is warned of anew."""
    if facts.phase not in _AT_REST:
        return Decision(action=Action.NOTHING, why=f"It is {facts.phase}: something is at work.", plan=facts.plan)
    use = _use(facts, now)
    decision = _deletion(facts, policy, use, now, after_gap=after_gap)
    if decision.action is Action.NOTHING:
        decision = _sleep(facts, policy, use, now) or _earlier(decision, facts, policy, use)
    return replace(decision, unknown=use.unknown, use=use)


def _use(facts: ClusterFacts, now: datetime) -> Use:
    return use_of(
        signals=facts.signals,
        required=facts.required,
        further=((facts.created_at, "it was made"), (facts.woken_by_person_at, "somebody woke or restored it")),
        asleep_since=facts.asleep_since if facts.phase == Phase.ASLEEP else None,
        stale_after=STALE_AFTER,
        now=now,
    )


# --- sleep ------------------------------------------------------------------------------------------------------------


def _sleeps_at(facts: ClusterFacts, policy: ResolvedPolicy, use: Use) -> datetime | None:
    """A wake by its schedule is no use, and yet nobody wakes it to put it to sleep at once."""
    if facts.phase != Phase.READY or policy.sleep_after is None or not use.known:
        return None
    return max(use.last_at, facts.woken_at or use.last_at) + policy.sleep_after


def _sleep(facts: ClusterFacts, policy: ResolvedPolicy, use: Use, now: datetime) -> Decision | None:
    at = _sleeps_at(facts, policy, use)
    if at is None or now < at:
        return None
    return Decision(action=Action.SLEEP, why=_unused(use), plan=facts.plan)


def _earlier(decision: Decision, facts: ClusterFacts, policy: ResolvedPolicy, use: Use) -> Decision:
    times = [at for at in (decision.next_at, _sleeps_at(facts, policy, use)) if at is not None]
    return replace(decision, next_at=min(times, default=None))


# --- deletion ---------------------------------------------------------------------------------------------------------


def _deletion(facts: ClusterFacts, policy: ResolvedPolicy, use: Use, now: datetime, *, after_gap: bool) -> Decision:
    if facts.protected:
        return _ended(facts, "It is protected from deletion.")
    deadlines = list(_deadlines(facts, policy, use))
    live = [each for each in deadlines if each.at - policy.warn_before[0] <= now]
    if live:
        return _step(_chosen(live, facts.plan), facts, policy, now, after_gap=after_gap)
    if facts.plan is not None and facts.plan.cause is Cause.IDLE and policy.delete_after is not None and use.unknown:
        return _hold(facts.plan, " ".join(use.unknown))
    first = min((each.at - policy.warn_before[0] for each in deadlines), default=None)
    why = " ".join(use.unknown) if use.unknown else f"Last use: {use.last}, {_time(use.last_at)}."
    return replace(_ended(facts, why), next_at=first)


def _deadlines(facts: ClusterFacts, policy: ResolvedPolicy, use: Use) -> Iterator[_Deadline]:
    if facts.expires_at is not None:
        yield _Deadline(Cause.LIFETIME, facts.expires_at, f"Its lifetime ends {_time(facts.expires_at)}.")
    if policy.delete_after is not None and use.known:
        due = use.last_at + policy.delete_after
        yield _Deadline(Cause.IDLE, max(due, facts.kept_until or due), _unused(use))


def _chosen(live: list[_Deadline], plan: Plan | None) -> _Deadline:
    """The one that its owner was told of, else the first. What waits for a yes does not keep a lifetime from ending."""
    of_cause = {each.cause: each for each in live}
    if plan is None or plan.cause not in of_cause:
        return min(live, key=lambda each: each.at)
    if plan.state is State.AWAITING_CONSENT:
        return of_cause.get(Cause.LIFETIME, of_cause[plan.cause])
    return of_cause[plan.cause]


def _step(
    deadline: _Deadline, facts: ClusterFacts, policy: ResolvedPolicy, now: datetime, *, after_gap: bool
) -> Decision:
    plan = facts.plan if facts.plan is not None and facts.plan.cause == deadline.cause else None
    # a date that was told is never brought forward
    at = max(plan.at, deadline.at) if plan else deadline.at
    warned = plan.warned if plan else ()
    if plan is None or len(warned) < len(policy.warn_before):
        return _next_warning(deadline, plan, at, warned, policy.warn_before[len(warned) :], now)
    if now < at:
        return _hold(replace(plan, at=at), f"{deadline.why} It is deleted {_time(at)}.", next_at=at)
    if deadline.cause is Cause.IDLE and not _looked_since(facts, plan.at, now):
        return _hold(plan, _Waits.LOOK)
    if deadline.cause is Cause.IDLE and not consented(facts, plan) and consent_needed(facts, plan, now):
        return _ask(plan, deadline)
    return _due(plan, deadline, facts, policy.warn_before[-1], now, after_gap=after_gap)


def _next_warning(
    deadline: _Deadline,
    plan: Plan | None,
    at: datetime,
    warned: tuple[datetime, ...],
    spans: tuple[timedelta, ...],
    now: datetime,
) -> Decision:
    """`spans`: before its date, of the warnings that are still to come; at least one."""
    span, later = spans[0], spans[1:]
    if warned and plan is not None and now < at - span:
        return _hold(replace(plan, at=at), f"{deadline.why} Its owner was told.", next_at=at - span)
    told = Plan(cause=deadline.cause, at=max(at, now + span), warned=(*warned, now))
    return Decision(
        action=Action.WARN, why=deadline.why, plan=told, next_at=told.at - (later[0] if later else timedelta())
    )


def _looked_since(facts: ClusterFacts, date: datetime, now: datetime) -> bool:
    """Whether a use until its date would have been seen. A signal that is known may be hours old."""
    since = timedelta(0) if date > now else now - date
    asleep_since = facts.asleep_since if facts.phase == Phase.ASLEEP else None
    signals = (each for each in facts.signals if each.kind in facts.required)
    return not any(signal_missing(each.kind, each, asleep_since, since, now) for each in signals)


def _ask(plan: Plan, deadline: _Deadline) -> Decision:
    if plan.state is State.AWAITING_CONSENT:
        return _hold(plan, _Waits.CONSENT)
    waiting = replace(plan, state=State.AWAITING_CONSENT)
    return Decision(action=Action.ASK, why=f"{deadline.why} {_Waits.CONSENT}", plan=waiting)


def _due(
    plan: Plan, deadline: _Deadline, facts: ClusterFacts, span: timedelta, now: datetime, *, after_gap: bool
) -> Decision:
    if plan.state is State.DELETING and now < plan.at + TRIED_AGAIN_AFTER:
        return _hold(plan, _Waits.TRIED, next_at=plan.at + TRIED_AGAIN_AFTER)
    said = max(plan.warned[-1], facts.consent_at or plan.warned[-1])
    if after_gap or now - said > span + FRESH_FOR:
        again = Plan(cause=plan.cause, at=now + span, warned=(*plan.warned[:-1], now))
        return Decision(action=Action.WARN, why=deadline.why, plan=again, next_at=again.at)
    return Decision(
        action=Action.DELETE,
        why=deadline.why,
        plan=Plan(cause=plan.cause, at=now, warned=plan.warned, state=State.DELETING),
    )


def consented(facts: ClusterFacts, plan: Plan) -> bool:
    """Whether its owner said yes to this very plan."""
    return facts.consent_at is not None and facts.consent_at >= plan.warned[0]


def consent_needed(facts: ClusterFacts, plan: Plan | None, now: datetime) -> bool:
    """Whether somebody may be using what it serves without Marina seeing it.

    Not where nothing runs in it, and not where it was asleep all the time since its owner was first told.
    """
    if facts.serving is False:
        return False
    if facts.phase == Phase.ASLEEP and facts.asleep_since and plan and facts.asleep_since <= plan.warned[0]:
        return False
    ingress = next((each for each in facts.signals if each.kind is SignalKind.INGRESS), None)
    asleep_since = facts.asleep_since if facts.phase == Phase.ASLEEP else None
    return bool(signal_missing(SignalKind.INGRESS, ingress, asleep_since, STALE_AFTER, now))


def _hold(plan: Plan, why: str, next_at: datetime | None = None) -> Decision:
    return Decision(action=Action.NOTHING, why=why, plan=plan, next_at=next_at)


def _ended(facts: ClusterFacts, why: str) -> Decision:
    """Nothing speaks for a deletion; what was planned is over."""
    return Decision(action=Action.CLEAR if facts.plan else Action.NOTHING, why=why)


def _unused(use: Use) -> str:
    return f"Nobody has used it since {_time(use.last_at)} ({use.last})."


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
