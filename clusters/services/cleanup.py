"""The sweep: what is not used sleeps, then its owner is warned, then it is deleted. Every run leaves its report.

What is decided stands in clusters/lifecycle/deciding.py. A sweep over all clusters takes a fixed number of statements,
beside those for each that it puts to sleep or deletes, of which the settings allow so many a run.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.errors import MarinaError
from accounts.services.audit import Actor
from clusters.lifecycle.deciding import CLEANUP, Plan, decide
from clusters.lifecycle.gathering import Case, ReadSignals, cases_of, clusters_living
from clusters.lifecycle.plans_writing import plans_write
from clusters.lifecycle.signals import signals_of
from clusters.models import (
    ACTIVE_STATES,
    CLEANUP_COLUMNS,
    CleanupAction,
    CleanupItem,
    CleanupRun,
    CleanupRunState,
    CleanupState,
    CleanupSwitch,
    Operation,
    OperationKind,
    OperationState,
    VirtualCluster,
)
from clusters.services.cleanup_calling_off import BY_CLEANUP, deletion_call_off
from clusters.services.cleanup_notices import Decided, deletions_tell, sleeps_tell, warnings_send
from clusters.services.cleanup_recipients import owners_of
from clusters.services.sleeping import virtual_cluster_sleep
from clusters.services.virtual_clusters import ClusterWork, virtual_cluster_delete

ACTOR: Final = Actor(user=None, name=CLEANUP)
_GAP: Final = timedelta(hours=12)
_DEAD_AFTER: Final = timedelta(minutes=30)
"""A run that did not end by then died with its worker."""
_DECIDING: Final = ("phase", "deletion_protection", "expires_at", "kept_until", "project_id")


@dataclass
class _Sweep:
    """One run while it goes on."""

    run: CleanupRun
    now: datetime
    items: list[CleanupItem] = field(default_factory=list)

    def note(self, decided: Decided, *, operation: Operation | None = None, refused: str = "") -> None:
        """For the report."""
        case, decision = decided
        self.items.append(
            CleanupItem(
                run=self.run,
                virtual_cluster=case.cluster,
                action=decision.action,
                cleanup_at=decision.plan.at if decision.plan else None,
                why=decision.why,
                signals=signals_shown(case),
                operation=operation,
                refused=refused,
            )
        )


def sweep(*, now: datetime, read_signals: ReadSignals = signals_of) -> CleanupRun | None:
    """Does what is due; None where another run is at it. Run by a schedule. `read_signals` tells of use."""
    run = _run_begin(now)
    if run is None:
        return None
    if cleanup_stopped():
        return _run_end(run, CleanupRunState.STOPPED, now)
    sweeping = _Sweep(run, now)
    run.after_gap = gap_before(now)
    cases = cases_of(clusters_living(), now=now, read_signals=read_signals)
    decided = [(case, decide(case.facts, case.policy, now, after_gap=run.after_gap)) for case in cases]
    _plans(sweeping, decided)
    _sleeps(sweeping, _of(decided, CleanupAction.SLEEP))
    _deletions(sweeping, _of(decided, CleanupAction.DELETE))
    run.looked_at = len(cases)
    run.unknown = sum(bool(decision.unknown) for _, decision in decided)
    return _report(sweeping)


def cleanup_stopped() -> bool:
    """Whether somebody stopped all of it."""
    return CleanupSwitch.objects.filter(stopped=True).exists()


def _of(decided: Iterable[Decided], *actions: CleanupAction) -> list[Decided]:
    return [each for each in decided if each[1].action in actions]


# --- the run ----------------------------------------------------------------------------------------------------------


def _run_begin(now: datetime) -> CleanupRun | None:
    going_on = CleanupRun.objects.filter(state=CleanupRunState.RUNNING)
    going_on.filter(started_at__lt=now - _DEAD_AFTER).update(
        state=CleanupRunState.DIED, finished_at=now, message="It did not end in time; its worker died."
    )
    try:
        with transaction.atomic():
            return CleanupRun.objects.create(started_at=now)
    except IntegrityError:
        return None


def gap_before(now: datetime) -> bool:
    """Whether nobody has swept for long: so long nobody was warned, and signals may have been missed."""
    done = CleanupRun.objects.filter(state=CleanupRunState.DONE, started_at__lte=now)
    last = done.values_list("started_at", flat=True).first()
    return last is None or now - last > max(_GAP, timedelta(seconds=3 * settings.CLEANUP_SWEEP_SECONDS))


def _run_end(run: CleanupRun, state: CleanupRunState, now: datetime) -> CleanupRun:
    run.state, run.finished_at = state, now
    run.save()
    return run


@transaction.atomic
def _report(sweeping: _Sweep) -> CleanupRun:
    run, done = sweeping.run, Counter(item.action for item in sweeping.items if not item.refused)
    CleanupItem.objects.bulk_create(sweeping.items)
    run.warned, run.asked = done[CleanupAction.WARN], done[CleanupAction.ASK]
    run.put_to_sleep, run.deleted = done[CleanupAction.SLEEP], done[CleanupAction.DELETE]
    run.cleared = done[CleanupAction.CLEAR]
    return _run_end(run, CleanupRunState.DONE, sweeping.now)


def cleanup_runs_remove(*, now: datetime) -> int:
    """Forgets reports older than CLEANUP_REPORT_DAYS; says how many rows went. Run by a schedule."""
    old = CleanupRun.objects.filter(started_at__lt=now - timedelta(days=settings.CLEANUP_REPORT_DAYS))
    removed, _ = old.delete()
    return removed


# --- what it does -----------------------------------------------------------------------------------------------------


@transaction.atomic
def _plans(sweeping: _Sweep, decided: Sequence[Decided]) -> None:
    """Warns, asks, and ends plans: the rows and what is told of them in one transaction."""
    changed = [each for each in decided if _changes(each)]
    unchanged = _locked([case for case, _ in changed])
    done = [each for each in changed if each[0].cluster.pk in unchanged]
    told = _of(done, CleanupAction.WARN, CleanupAction.ASK)
    owners = owners_of([case.cluster for case, _ in told])
    if alone := {key for key, people in owners.items() if not people}:
        # what nobody was told of is not told
        sweeping.run.message = f"{len(alone)} clusters are left alone: there is nobody whom to warn."
        done, told = ([each for each in some if each[0].cluster.pk not in alone] for some in (done, told))
    plans_write((case.cluster.pk, decision.plan, decision.why) for case, decision in done)
    warnings_send(told, owners=owners, now=sweeping.now)
    for case, decision in done:
        if _begun(case.facts.plan) and not _begun(decision.plan):
            deletion_call_off(virtual_cluster=case.cluster.pk, now=sweeping.now)
    for each in [*told, *_of(done, CleanupAction.CLEAR)]:
        sweeping.note(each)


def _begun(plan: Plan | None) -> bool:
    return plan is not None and plan.state is CleanupState.DELETING


def _changes(decided: Decided) -> bool:
    case, decision = decided
    if decision.action in (CleanupAction.SLEEP, CleanupAction.DELETE):
        return False
    return decision.plan != case.facts.plan


def _locked(cases: Iterable[Case]) -> dict[UUID, VirtualCluster]:
    """Locks these clusters' rows; those of them that nobody changed since they were read, as they are now."""
    read = {case.cluster.pk: case.cluster for case in cases}
    if not read:
        return {}
    rows = VirtualCluster.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=read).order_by("pk")
    return {row.pk: row for row in rows.only(*_DECIDING, *CLEANUP_COLUMNS) if _same(row, read[row.pk])}


def _same(row: VirtualCluster, read: VirtualCluster) -> bool:
    """Whether what decides is as it was."""
    return all(getattr(row, each) == getattr(read, each) for each in (*_DECIDING, *CLEANUP_COLUMNS))


def _sleeps(sweeping: _Sweep, due: list[Decided]) -> None:
    most = settings.CLEANUP_SLEEPS_PER_RUN
    sweeping.run.left += len(due[most:])
    for each in due[:most]:
        _begin(sweeping, each, _sleep)


def _deletions(sweeping: _Sweep, due: list[Decided]) -> None:
    most = settings.CLEANUP_DELETIONS_PER_RUN
    sweeping.run.left += len(due[most:])
    for each in due[:most]:
        if cleanup_stopped():
            sweeping.note(each, refused="Somebody stopped the cleanup.")
        else:
            _begin(sweeping, each, _delete)


def _begin(sweeping: _Sweep, decided: Decided, do: Callable[[Decided, datetime], ClusterWork]) -> None:
    """In a transaction of its own: what one cluster refuses keeps nobody from the next."""
    try:
        with transaction.atomic():
            if decided[0].cluster.pk not in _locked([decided[0]]):
                sweeping.note(decided, refused="It was changed meanwhile.")
                return
            if at_work := _at_work(decided[0].cluster):
                sweeping.note(decided, refused=f"Something of it is at work: {at_work}.")
                return
            work = do(decided, sweeping.now)
    except MarinaError as error:
        sweeping.note(decided, refused=str(error))
        return
    if work.created:
        sweeping.note(decided, operation=work.operation)


def _at_work(cluster: VirtualCluster) -> str:
    """What somebody asked for who wants it, and is not done yet: nobody's wish to wake or restore it is superseded."""
    waiting = Operation.objects.filter(
        virtual_cluster=cluster, lock_key__isnull=False, state__in=(*ACTIVE_STATES, OperationState.QUEUED)
    )
    return (
        waiting.exclude(kind__in=(OperationKind.SLEEP, OperationKind.DELETE)).values_list("kind", flat=True).first()
        or ""
    )


def _sleep(decided: Decided, now: datetime) -> ClusterWork:
    case, decision = decided
    work = virtual_cluster_sleep(virtual_cluster=case.cluster, actor=ACTOR, now=now, by=CLEANUP, why=decision.why)
    if work.created:
        sleeps_tell([decided], now=now)
    return work


def _delete(decided: Decided, now: datetime) -> ClusterWork:
    case, decision = decided
    plans_write([(case.cluster.pk, decision.plan, decision.why)])
    work = virtual_cluster_delete(virtual_cluster=case.cluster, actor=ACTOR, now=now)
    if work.created:
        work.operation.params = {**work.operation.params, BY_CLEANUP: True}
        work.operation.save(update_fields=["params"])
        deletions_tell([decided], now=now)
    return work


# --- looking ahead ----------------------------------------------------------------------------------------------------


def signals_shown(case: Case) -> list[dict[str, Any]]:
    """The signals of a cluster as reports and answers show them."""
    return [
        {
            "kind": each.kind.value,
            "required": each.kind in case.facts.required,
            "state": each.state.value,
            "last_used_at": each.last_used_at.isoformat() if each.last_used_at else None,
            "who": each.who,
            "observed_at": each.observed_at.isoformat() if each.observed_at else None,
            "reason": each.reason,
        }
        for each in case.facts.signals
    ]
