"""Starting, retrying and aborting operations. Each writes rows only; workers do the work."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.errors import Conflict
from accounts.services.audit import Actor, audit_record
from clusters.access import operation_require
from clusters.dispatch import operation_wake
from clusters.kinds import MEETINGS, UNLOCKED_KINDS, Meeting
from clusters.models import (
    ACTIVE_STATES,
    HostCluster,
    Operation,
    OperationEvent,
    OperationKind,
    OperationState,
    VirtualCluster,
)


@dataclass(frozen=True, kw_only=True)
class Started:
    """The operation that does what was asked; `created` is False where an active one already did."""

    operation: Operation
    created: bool


def operation_start(
    *,
    kind: OperationKind,
    subject: HostCluster | VirtualCluster,
    actor: Actor,
    now: datetime,
    params: dict[str, Any] | None = None,
) -> Started:
    """Adds an operation for a host or a virtual cluster, as the table of kinds says. Call it inside a transaction.

    Raises Conflict, naming the operation in the way, where the table refuses. The subject's row is locked, so that of
    two requests at once the second sees what the first did.
    """
    type(subject)._default_manager.select_for_update(of=("self",)).get(pk=subject.pk)
    lock_key = None if kind in UNLOCKED_KINDS else _lock_key(subject)
    active = _unfinished(lock_key).first() if lock_key else None
    meeting = MEETINGS[kind, OperationKind(active.kind)] if active else None
    if active and meeting is Meeting.NO_OP:
        return Started(operation=active, created=False)
    if active and meeting is Meeting.REFUSE:
        raise Conflict(
            f"{subject} is busy: {active.kind} is at work.",
            hint=f"Wait for operation {active.pk}, then try again (marina op watch {active.pk}).",
            operation_id=active.pk,
        )
    if active and meeting is Meeting.SUPERSEDE:
        _supersede(lock_key=lock_key, by=kind, now=now)
    operation = _create(kind=kind, subject=subject, actor=actor, lock_key=lock_key, params=params or {}, now=now)
    return Started(operation=operation, created=True)


def _lock_key(subject: HostCluster | VirtualCluster) -> str:
    return f"{'host' if isinstance(subject, HostCluster) else 'virtual-cluster'}:{subject.pk}"


def _unfinished(lock_key: str | None) -> QuerySet[Operation]:
    return Operation.objects.filter(lock_key=lock_key, state__in=(*ACTIVE_STATES, OperationState.QUEUED)).order_by("id")


def _supersede(*, lock_key: str | None, by: OperationKind, now: datetime) -> None:
    for operation in _unfinished(lock_key).select_for_update():
        _abort(operation, why=f"Superseded by {by}.", now=now)


def _abort(operation: Operation, *, why: str, now: datetime) -> None:
    """A Queued one ends at once; an active one is ended by its worker between two steps."""
    OperationEvent.objects.create(operation=operation, time=now, level="warning", text=why)
    operation.abort_requested = True
    operation.message = why
    if operation.state == OperationState.QUEUED:
        operation.state = OperationState.ABORTED
        operation.finished_at = now
    operation.run_after = now
    operation.published_at = now
    operation.save(update_fields=["abort_requested", "message", "state", "finished_at", "run_after", "published_at"])
    transaction.on_commit(partial(operation_wake, operation.pk))


def _create(
    *,
    kind: OperationKind,
    subject: HostCluster | VirtualCluster,
    actor: Actor,
    lock_key: str | None,
    params: dict[str, Any],
    now: datetime,
) -> Operation:
    queued = lock_key is not None and _unfinished(lock_key).exists()
    operation = Operation(
        kind=kind,
        state=OperationState.QUEUED if queued else OperationState.PENDING,
        requested_by=actor.user,
        lock_key=lock_key,
        params=params,
        run_after=now,
        published_at=now,
    )
    if isinstance(subject, VirtualCluster):
        operation.virtual_cluster, operation.project = subject, subject.project
        operation.organization = subject.project.organization
    else:
        operation.host, operation.organization = subject, subject.organization
    operation.save(force_insert=True)
    if not queued:
        transaction.on_commit(partial(operation_wake, operation.pk))
    return operation


@transaction.atomic
def operation_retry(*, operation: Operation, actor: Actor, now: datetime) -> Operation:
    """Has a Failed operation go on from its failed step. Conflict where it did not fail or a later one followed."""
    _require(actor, "operation.retry", operation)
    locked = Operation.objects.select_for_update().get(pk=operation.pk)
    if locked.state != OperationState.FAILED:
        raise Conflict(f"Only a Failed operation can be tried again; this one is {locked.state}.")
    if _newer(locked).exists():
        raise Conflict(
            f"A later operation followed this {locked.kind}, so it cannot go on.",
            hint="Look at the newest operation of the object.",
        )
    locked.state = OperationState.PENDING
    locked.attempt = 0
    locked.step_started_at = locked.finished_at = None
    locked.error_code = locked.error_message = locked.error_hint = ""
    locked.message = "Tried again."
    locked.run_after = locked.published_at = now
    locked.abort_requested = False
    locked.save()
    OperationEvent.objects.create(operation=locked, time=now, text=f"Tried again by {actor.label}.")
    _audit(actor, "operation.retry", locked)
    transaction.on_commit(partial(operation_wake, locked.pk))
    return locked


def _newer(operation: Operation) -> QuerySet[Operation]:
    return Operation.objects.filter(lock_key=operation.lock_key, pk__gt=operation.pk).exclude(lock_key=None)


@transaction.atomic
def operation_abort(*, operation: Operation, actor: Actor, now: datetime) -> Operation:
    """Ends an operation before its next step; what its steps made stays. Conflict when it has ended already."""
    _require(actor, "operation.abort", operation)
    locked = Operation.objects.select_for_update().get(pk=operation.pk)
    if locked.finished:
        raise Conflict(f"This operation has already ended: {locked.state}.")
    _abort(locked, why=f"Aborted by {actor.label}.", now=now)
    _audit(actor, "operation.abort", locked)
    return locked


def _require(actor: Actor, action: str, operation: Operation) -> None:
    """Marina itself and, for operations of hosts, whoever may update the host; else the project's role."""
    if actor.user is not None:
        operation_require(actor.user, action, operation)


def _audit(actor: Actor, action: str, operation: Operation) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="operation",
        object_id=operation.pk,
        name=str(operation),
        organization_id=operation.organization_id,
    )
