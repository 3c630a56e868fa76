"""What owners answer: keep it longer, or yes, delete it."""

from datetime import datetime, timedelta

from django.db import transaction

from accounts.access import actor_require
from accounts.errors import Conflict, InvalidInput
from accounts.services.audit import Actor
from clusters.lifecycle.extending import EXTENSION_LEAST, extends_lifetime, extension_most, lifetime_left
from clusters.lifecycle.gathering import plan_of, policies_for, policy_of
from clusters.lifecycle.plans_writing import plans_write
from clusters.lifecycle.policy import ResolvedPolicy
from clusters.lifecycle.spans import span_text
from clusters.models import (
    ACTIVE_STATES,
    CleanupCause,
    Operation,
    OperationKind,
    OperationState,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.cleanup_calling_off import deletion_call_off
from clusters.services.cluster_rows import virtual_cluster_audit
from clusters.services.ownership import owner_may


@transaction.atomic
def virtual_cluster_extend(
    *, virtual_cluster: VirtualCluster, seconds: int, actor: Actor, now: datetime
) -> VirtualCluster:
    """Keeps it for so long beyond its date, or where none is set, from now; what was planned is off.

    A lifetime is made longer by as much, in all up to what the policy allows. InvalidInput says what would be accepted.
    """
    if not owner_may(actor.user, "virtualcluster.lifecycle", virtual_cluster):
        actor_require(actor, "virtualcluster.lifecycle", virtual_cluster)
    locked = _row_locked(virtual_cluster)
    _deletion_end(locked, now)
    policy = policy_of(locked, policies_for(locked))
    _span_check(seconds, policy)
    plan, span = plan_of(locked), timedelta(seconds=seconds)
    before = {"kept_until": locked.kept_until, "expires_at": locked.expires_at}
    if extends_lifetime(locked, plan):
        _lifetime_extend(locked, span, policy, now)
    planned = plan.at if plan is not None and plan.cause is CleanupCause.IDLE else now
    # what somebody wanted before is never made shorter
    locked.kept_until = max(max(now, planned) + span, locked.kept_until or now)
    locked.save(update_fields=["kept_until", "expires_at", "lifetime_extended"])
    plans_write([(locked.pk, None, "")])
    locked.refresh_from_db(fields=["cleanup_at", "cleanup_state", "cleanup_cause", "cleanup_why", "cleanup_warned_at"])
    after = {"kept_until": locked.kept_until, "expires_at": locked.expires_at}
    _audit(actor, "virtualcluster.extend", locked, before, after)
    return locked


def _deletion_end(cluster: VirtualCluster, now: datetime) -> None:
    """Calls off what the sweep began. Raises Conflict where something is taken away, or where a person deletes it."""
    deletion_call_off(virtual_cluster=cluster.pk, now=now)
    unfinished = Operation.objects.filter(state__in=(*ACTIVE_STATES, OperationState.QUEUED), abort_requested=False)
    deleting = unfinished.filter(virtual_cluster=cluster, kind=OperationKind.DELETE).first()
    if deleting is not None:
        raise Conflict(
            f"{cluster} is being deleted; its date cannot be changed any more.",
            hint=f"Abort that first, if it is not too late: marina op abort {deleting.pk}.",
            operation_id=deleting.pk,
        )


def _span_check(seconds: int, policy: ResolvedPolicy) -> None:
    least, most = int(EXTENSION_LEAST.total_seconds()), int(policy.extension_maximum.total_seconds())
    if least <= seconds <= most:
        return
    raise InvalidInput(
        f"It cannot be kept for {span_text(seconds)} more.",
        field="by",
        accepted=f"{least} to {most} seconds ({span_text(least)} to {span_text(most)}), by {_origin(policy)}"
        if most >= least
        else f"nothing: by {_origin(policy)} there is no extension",
    )


def _origin(policy: ResolvedPolicy) -> str:
    return policy.origins["extension_maximum"]


def _lifetime_extend(cluster: VirtualCluster, span: timedelta, policy: ResolvedPolicy, now: datetime) -> None:
    ends, plan = cluster.expires_at or now, plan_of(cluster)
    longer = max(ends, now) + span - ends
    left = lifetime_left(cluster, policy)
    if longer > left:
        raise Conflict(
            f"The lifetime of {cluster} was made longer by {span_text(cluster.lifetime_extended)} so far; by "
            f"{_origin(policy)} it is {span_text(policy.extension_maximum)} in all.",
            hint=_limit_hint(cluster, extension_most(cluster, plan, policy, now)),
            code="extension-limit",
        )
    # a late warning moved the date that was told beyond the end: whoever keeps it longer means longer than that
    cluster.expires_at = max(ends + longer, plan.at + span) if plan is not None else ends + longer
    cluster.lifetime_extended += int(longer.total_seconds())


def _limit_hint(cluster: VirtualCluster, most: timedelta) -> str:
    less = f"Up to {span_text(most)} more are possible. " if most else ""
    return (
        f"{less}An admin of its project can set a policy with more (marina policy set --project {cluster.project} "
        f"--extension-maximum), or export it (marina export create {cluster.name}) and make a new one."
    )


def extension_possible(cluster: VirtualCluster, *, now: datetime) -> timedelta:
    """The longest extension of this cluster that is taken now."""
    return extension_most(cluster, plan_of(cluster), policy_of(cluster, policies_for(cluster)), now)


@transaction.atomic
def cleanup_consent(*, virtual_cluster: VirtualCluster, actor: Actor, now: datetime) -> VirtualCluster:
    """Says yes to the deletion that its owner was warned of; a second yes changes nothing. Raises Conflict without."""
    if not owner_may(actor.user, "virtualcluster.delete", virtual_cluster):
        actor_require(actor, "virtualcluster.delete", virtual_cluster)
    locked = _locked(virtual_cluster)
    plan = plan_of(locked)
    if plan is None:
        raise Conflict(
            f"{locked} is not to be cleaned up, so there is nothing to say yes to.",
            hint=f"Delete it with `marina delete {locked.name}`.",
        )
    if locked.consent_at is not None and locked.consent_at >= plan.warned[0]:
        return locked
    locked.consent_at = now
    locked.save(update_fields=["consent_at"])
    _audit(actor, "virtualcluster.cleanup-consent", locked, {}, {"cleanup_at": locked.cleanup_at})
    return locked


def _locked(cluster: VirtualCluster) -> VirtualCluster:
    locked = _row_locked(cluster)
    if locked.phase == VirtualClusterPhase.DELETING:
        raise Conflict(f"{locked} is {locked.phase}; its date cannot be changed any more.")
    return locked


def _row_locked(cluster: VirtualCluster) -> VirtualCluster:
    locked = (
        VirtualCluster.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project__organization", "creator")
        .get(pk=cluster.pk)
    )
    if locked.phase == VirtualClusterPhase.DELETED:
        raise Conflict(f"{locked} is {locked.phase}; its date cannot be changed any more.")
    return locked


def _audit(
    actor: Actor,
    action: str,
    cluster: VirtualCluster,
    before: dict[str, datetime | None],
    after: dict[str, datetime | None],
) -> None:
    virtual_cluster_audit(
        actor,
        action,
        cluster,
        before={name: at and at.isoformat() for name, at in before.items()},
        after={name: at and at.isoformat() for name, at in after.items()},
    )
