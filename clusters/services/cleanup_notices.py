"""What owners are told of the cleanup of their clusters, and how to keep them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings

from accounts.models import User
from accounts.services.notifications_many import Message, notifications_send
from clusters.lifecycle.deciding import Decision, Plan, consent_needed
from clusters.lifecycle.extending import extension_most, extension_offered
from clusters.lifecycle.gathering import Case
from clusters.lifecycle.spans import span_text
from clusters.models import CleanupAction, CleanupCause, VirtualCluster
from clusters.services.cleanup_recipients import owners_of
from clusters.services.ownership import about_cluster

KEEP_FOR: Final = timedelta(days=7)
"""What a warning offers, where so much is possible."""

Decided = tuple[Case, Decision]


def keep_link(cluster: VirtualCluster) -> str:
    """The page that keeps it longer."""
    return f"/virtual-clusters/{cluster.pk}/extend"


def keep_command(case: Case, decision: Decision, now: datetime) -> str:
    """The command that does so: one that is taken as it stands. None where it cannot be kept any longer."""
    cluster = case.cluster
    most = extension_most(cluster, decision.plan, case.policy, now)
    if not most:
        return ""
    return (
        f"marina extend {cluster.name} --project {cluster.project} --for {span_text(extension_offered(most, KEEP_FOR))}"
    )


def warnings_send(decided: Collection[Decided], *, owners: Mapping[UUID, list[User]], now: datetime) -> int:
    """Tells owners that a cluster is to be deleted, or that it takes their yes. A fixed number of statements."""
    messages = [
        Message(
            recipients=owners[case.cluster.pk],
            about=about_cluster(case.cluster),
            text=_warning(case, decision, now),
            link=keep_link(case.cluster),
            command=keep_command(case, decision, now),
        )
        for case, decision in decided
    ]
    return notifications_send(kind="cleanup-warning", messages=messages, now=now) if messages else 0


def _warning(case: Case, decision: Decision, now: datetime) -> str:
    cluster, plan = case.cluster, decision.plan
    consent = f"`marina cleanup consent {cluster.name} --project {cluster.project}`"
    if decision.action == CleanupAction.ASK or plan is None:
        return f"{cluster}: {decision.why} Say yes with {consent}, or keep it."
    text = f"{cluster} is to be deleted on {plan.at:%Y-%m-%d %H:%M} UTC. {decision.why} "
    if plan.cause is CleanupCause.IDLE and consent_needed(case.facts, plan, now):
        text += f"Its web traffic cannot be seen, so that takes your yes ({consent}). "
    return f"{text}It is exported first, without the data of its volumes. {_way_out(case, plan, now)}"


def _way_out(case: Case, plan: Plan, now: datetime) -> str:
    can_be_kept = bool(extension_most(case.cluster, plan, case.policy, now))
    if plan.cause is CleanupCause.IDLE:
        return "To stop that, use it or keep it." if can_be_kept else "To stop that, use it."
    return "To stop that, keep it." if can_be_kept else "It cannot be kept any longer; ask an admin of its project."


def deletions_tell(decided: Sequence[Decided], *, now: datetime) -> int:
    """Tells owners that the deletion has begun."""
    owners = owners_of([case.cluster for case, _ in decided])
    messages = [
        Message(
            recipients=owners[case.cluster.pk],
            about=about_cluster(case.cluster),
            text=f"{case.cluster} is being deleted. {decision.why} It is exported first, and for "
            f"{settings.EXPORT_DELETED_DAYS} days it can be made again from that; the data of its volumes cannot.",
            command=f"marina restore {case.cluster.name} --project {case.cluster.project}",
        )
        for case, decision in decided
    ]
    return notifications_send(kind="cleanup-deleted", messages=messages, now=now) if messages else 0


def sleeps_tell(decided: Sequence[Decided], *, now: datetime) -> int:
    """Tells owners that an unused cluster is put to sleep."""
    owners = owners_of([case.cluster for case, _ in decided])
    messages = [
        Message(
            recipients=owners[case.cluster.pk],
            about=about_cluster(case.cluster),
            text=f"{case.cluster} is put to sleep. {decision.why} Using it wakes it; nothing is lost.",
            link=f"/virtual-clusters/{case.cluster.pk}",
            command=f"marina wake {case.cluster.name} --project {case.cluster.project}",
        )
        for case, decision in decided
    ]
    return notifications_send(kind="put-to-sleep", messages=messages, now=now) if messages else 0
