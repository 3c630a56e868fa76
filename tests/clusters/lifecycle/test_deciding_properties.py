"""Whatever happens and however seldom anybody sweeps: no deletion without warnings that were far enough apart."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from clusters.lifecycle.deciding import ClusterFacts, consented, decide
from clusters.lifecycle.policy import Defaults, ResolvedPolicy, policy_resolve
from clusters.lifecycle.signal import Signal, SignalKind, SignalState
from clusters.models import CleanupAction, CleanupState

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

happenings = st.sampled_from(["nothing"] * 8 + ["use", "unknown", "known", "asleep", "awake", "yes", "keep", "protect"])
stretches = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([12, 12, 12, 40, 24 * 5]), happenings), min_size=5, max_size=30
)
"""So many days of regular sweeps, then a pause of so many hours, then something happens."""
policies = st.builds(
    lambda delete, longest, shortest: ResolvedPolicy(
        sleep_after=None,
        delete_after=timedelta(days=delete),
        warn_before=(timedelta(days=longest + shortest), timedelta(days=shortest)),
        extension_maximum=timedelta(days=30),
    ),
    st.integers(1, 40),
    st.integers(1, 10),
    st.integers(1, 5),
)


def signals(now: datetime, used: datetime | None, *, known: bool) -> tuple[Signal, ...]:
    state = SignalState.KNOWN if known else SignalState.UNKNOWN
    return tuple(
        Signal(kind, used, "somebody", now, state, "") for kind in SignalKind if kind is not SignalKind.INGRESS
    )


def _single(stretches: list[tuple[int, int, str]]) -> Iterator[tuple[int, str]]:
    for days, pause, what in stretches:
        yield from [(12, "nothing")] * (2 * days)
        yield pause, what


def happen(facts: ClusterFacts, what: str, now: datetime) -> ClusterFacts:
    if what == "asleep":
        return replace(facts, phase="Asleep", asleep_since=now)
    if what == "awake":
        return replace(facts, phase="Ready", asleep_since=None)
    if what == "yes":
        return replace(facts, consent_at=now)
    if what == "keep":
        return replace(facts, kept_until=now + timedelta(days=7), plan=None, consent_at=None)
    return replace(facts, protected=not facts.protected) if what == "protect" else facts


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine all is slow
@given(
    policy=policies,
    steps=stretches,
    lifetime=st.none() | st.integers(1, 60),
)
def test_nothing_is_deleted_without_two_warnings_as_far_apart_as_the_policy_says(policy, steps, lifetime):
    ends = START + timedelta(days=lifetime) if lifetime else None
    facts = ClusterFacts(phase="Ready", created_at=START, signals=(), expires_at=ends)
    now, last, used, known = START, START, None, True
    warned: list[datetime] = []
    for pause, what in _single(steps):
        now += pause * HOUR
        used, known = (now if what == "use" else used), (what != "unknown" and (known or what == "known"))
        facts = replace(happen(facts, what, now), signals=signals(now, used, known=known))
        gap = now - last > 12 * HOUR
        decision = decide(facts, policy, now, after_gap=gap)
        last = now
        if decision.action is CleanupAction.WARN:
            warned.append(now)
        if decision.action is CleanupAction.DELETE:
            assert decision.plan is not None
            event(f"deleted: {decision.plan.cause}")
            _as_promised(facts, policy, now, warned, gap=gap, known=known)
            assert decision.plan.state is CleanupState.DELETING
            return
        begins = decision.plan is not None and (facts.plan is None or len(decision.plan.warned) == 1)
        facts = replace(facts, plan=decision.plan, consent_at=None if begins else facts.consent_at)


def _as_promised(facts, policy, now, warned, *, gap, known) -> None:
    assert not gap
    assert not facts.protected
    plan = facts.plan
    assert plan is not None
    assert len(plan.warned) >= 2
    assert set(plan.warned) <= set(warned)
    longest, shortest = policy.warn_before
    assert plan.warned[0] <= now - longest
    assert plan.warned[-1] <= now - shortest
    if plan.cause == "idle":
        assert known
        slept = facts.asleep_since is not None and facts.asleep_since <= plan.warned[0]
        assert consented(facts, plan) or slept


@given(policy=policies, hours=st.integers(0, 24 * 100))
def test_what_is_not_known_is_never_idle(policy, hours):
    now = START + hours * HOUR
    facts = ClusterFacts(phase="Ready", created_at=START, signals=signals(now, None, known=False))
    decision = decide(facts, replace(policy, sleep_after=timedelta(hours=1)), now)
    assert decision.action is CleanupAction.NOTHING
    assert decision.unknown


def test_personal_and_programs_clusters_begin_with_defaults_of_their_own():
    standard, personal, ci = (policy_resolve(kind, ()) for kind in Defaults)
    for name in ("sleep_after", "delete_after"):
        of_ci, of_personal, of_standard = (getattr(each, name) for each in (ci, personal, standard))
        assert of_ci < of_personal < of_standard
