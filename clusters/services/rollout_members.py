"""One cluster of a rollout: begun when it has its turn, judged when its operation has ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID

from django.db import transaction

from accounts.access import projects_where
from accounts.errors import Conflict, MarinaError
from accounts.services.audit import Actor
from clusters.access_rollouts import ROLLOUT
from clusters.models import Operation, OperationState, Placement, PlacementRole, Rollout, RolloutMember, VirtualCluster
from clusters.models import RolloutMemberState as State
from clusters.rollouts.fitting import Health, differs, health_of, unfit
from clusters.rollouts.wish import ClusterSelector, RolloutWish
from clusters.services.rollout_actions import begins

BUSY_SECONDS: Final = 10
"""So long a busy cluster is left alone before it is tried again."""
SETTLES_WITHIN: Final = timedelta(minutes=30)
"""So long after its operation (and its soak time) a cluster may take until it is at rest."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What is the same for all that begin in one round."""

    rollout: Rollout
    actor: Actor
    wish: RolloutWish
    selector: ClusterSelector
    now: datetime
    projects: frozenset[UUID] | None
    """In which its maker may still roll out; None: everywhere."""

    @classmethod
    def of(cls, rollout: Rollout, *, now: datetime) -> Self:
        """Acts in the name of whoever made it, and for the platform where it is the platform's."""
        maker, platform = rollout.created_by, rollout.organization_id is None
        own = None if maker is None or platform else projects_where(maker, ROLLOUT).values_list("pk", flat=True)
        return cls(
            rollout=rollout,
            actor=Actor(user=maker, name=f"rollout {rollout.name}", platform=platform),
            wish=RolloutWish.of(rollout.wish),
            selector=ClusterSelector.of(rollout.selector),
            now=now,
            projects=None if own is None else frozenset(own),
        )


def member_begin(turn: Turn, member: RolloutMember) -> None:
    """Begins it, or writes down why not: skipped where nothing is to be done, later where it is busy."""
    cluster = member.virtual_cluster
    if why := _out_of_place(turn, cluster) or unfit(turn.rollout.action, turn.wish, turn.selector, _placed(cluster)):
        _end(member, State.SKIPPED, why, turn.now)
        return
    try:
        with transaction.atomic():
            work = begins()[turn.rollout.action](
                virtual_cluster=cluster, actor=turn.actor, now=turn.now, wish=turn.wish
            )
    except Conflict as error:
        if error.operation_id is None:
            _refused(member, error, turn.now)
            return
        member.message = str(error)
        member.not_before = turn.now + timedelta(seconds=BUSY_SECONDS)
        member.save(update_fields=["message", "not_before"])
    except MarinaError as error:
        _refused(member, error, turn.now)
    else:
        _begun(member, work.operation, cluster.phase, turn.now)


def _placed(cluster: VirtualCluster) -> VirtualCluster:
    active = Placement.objects.filter(virtual_cluster=cluster, role=PlacementRole.ACTIVE).select_related("host")
    cluster.active_placements = list(active)  # type: ignore[attr-defined]
    return cluster


def _out_of_place(turn: Turn, cluster: VirtualCluster) -> str:
    """Since the rollout was made, it or its maker may have gone elsewhere."""
    organization = turn.rollout.organization_id
    if organization is not None and cluster.project.organization_id != organization:
        return f"It is in {cluster.project} by now, which is of another organization."
    if turn.projects is not None and cluster.project_id not in turn.projects:
        return f"{turn.actor.label} may not roll out in {cluster.project} any more."
    return ""


def _begun(member: RolloutMember, operation: Operation, phase: str, now: datetime) -> None:
    member.operation, member.phase_before = operation, phase
    member.state, member.message, member.started_at, member.not_before = State.RUNNING, "", now, None
    member.save()


def _refused(member: RolloutMember, error: MarinaError, now: datetime) -> None:
    _end(member, State.FAILED, f"{error} {error.hint}".strip(), now)


def member_judge(rollout: Rollout, member: RolloutMember, *, now: datetime) -> None:
    """What came of one that is at work: it goes on, it soaks, or it has ended well or badly."""
    operation = member.operation
    if operation is None:
        _end(member, State.FAILED, "Its operation is gone.", now)
    elif operation.finished and operation.state != OperationState.SUCCEEDED:
        told = operation.error_message or operation.message
        why = f"{operation.kind} {operation.state}: {told} {operation.error_hint}".strip()
        _end(member, State.FAILED, why, now)
    elif operation.finished:
        _judge_done(rollout, member, operation, now)


def _judge_done(rollout: Rollout, member: RolloutMember, operation: Operation, now: datetime) -> None:
    soaks_until = (operation.finished_at or now) + timedelta(seconds=rollout.soak_seconds)
    health, why = health_of(
        member.virtual_cluster, phase_before=member.phase_before, changed_since=_changed_since(operation)
    )
    if health is Health.ILL:
        _end(member, State.FAILED, why, now)
    elif now < soaks_until:
        _soak(member, soaks_until)
    elif why_not := differs(RolloutWish.of(rollout.wish), operation):
        _end(member, State.FAILED, why_not, now)
    elif health is Health.WELL:
        _end(member, State.SUCCEEDED, "", now)
    elif now >= soaks_until + SETTLES_WITHIN:
        _end(member, State.FAILED, f"It did not come to rest. {why}", now)
    elif member.message != why:
        member.message = why
        member.save(update_fields=["message"])


def _changed_since(operation: Operation) -> bool:
    later = Operation.objects.filter(lock_key=operation.lock_key, pk__gt=operation.pk)
    return operation.lock_key is not None and later.exists()


def _soak(member: RolloutMember, until: datetime) -> None:
    if member.state == State.SOAKING:
        return
    member.state, member.soaks_until = State.SOAKING, until
    member.message = f"It is looked at until {until:%Y-%m-%d %H:%M:%S} UTC."
    member.save()


def _end(member: RolloutMember, state: State, message: str, now: datetime) -> None:
    member.state, member.message, member.finished_at = state, message, now
    member.save()
