"""What the next sweep would do, and why: for one cluster, and for all that somebody sees."""

from datetime import datetime
from uuid import UUID

from accounts.access import in_reach
from accounts.models import User
from clusters.lifecycle.deciding import decide
from clusters.lifecycle.gathering import ReadSignals, cases_of, clusters_living
from clusters.lifecycle.signals import signals_of
from clusters.models import CleanupAction, CleanupRun, CleanupRunState, VirtualCluster
from clusters.services.cleanup import gap_before
from clusters.services.cleanup_notices import Decided


def preview(
    *, now: datetime, user: User | None, everything: bool = False, read_signals: ReadSignals = signals_of
) -> list[Decided]:
    """Of the clusters that the user sees (None: all) those with which something is done, or with `everything` each.

    Those whose date is told are among them, also where nothing is due yet. A fixed number of statements.
    """
    clusters = clusters_living()
    if user is not None:
        clusters = clusters.filter(in_reach(user, "virtualcluster.view"))
    cases = cases_of(clusters, now=now, read_signals=read_signals)
    gap = gap_before(now)
    decided = [(case, decide(case.facts, case.policy, now, after_gap=gap)) for case in cases]
    return [each for each in decided if everything or _matters(each)]


def _matters(decided: Decided) -> bool:
    decision = decided[1]
    return decision.action is not CleanupAction.NOTHING or decision.plan is not None


def cluster_outlook(
    virtual_cluster: VirtualCluster, *, now: datetime, read_signals: ReadSignals = signals_of
) -> Decided | None:
    """What is known of one cluster and what comes of it; None for one that is gone or going."""
    found = _one(virtual_cluster.pk, now, read_signals)
    return next(iter(found), None)


def _one(key: UUID, now: datetime, read_signals: ReadSignals) -> list[Decided]:
    cases = cases_of(clusters_living().filter(pk=key), now=now, read_signals=read_signals)
    return [(case, decide(case.facts, case.policy, now)) for case in cases]


def last_run() -> CleanupRun | None:
    """The newest that ended well."""
    return CleanupRun.objects.filter(state=CleanupRunState.DONE).first()
