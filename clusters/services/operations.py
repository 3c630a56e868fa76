"""Starting, retrying and aborting operations. Each writes rows only; workers do the work."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.errors import Conflict
from accounts.services.audit import Actor, audit_record
from clusters.access import operation_require
from clusters.dispatch import operation_wake
from clusters.kinds import MEETINGS, UNLOCKED_KINDS, Meeting
from clusters.models import (
    ACTIVE_STATES,
    HostCluster,
    HostCredential,
    Operation,
    OperationEvent,
    OperationKind,
    OperationState,
    VirtualCluster,
)
from clusters.services.export_writing import export_of_operation_fail

NEVER_RETRIED: Final[Mapping[OperationKind, str]] = {
    OperationKind.CONNECT: "Its credential was erased when it failed. Give the host one again (marina host renew).",
    OperationKind.ISSUE_KUBECONFIG: "Ask for a new kubeconfig: what you may do is looked at again.",
}

NEVER_ABORTED: Final[Mapping[OperationKind, str]] = {
    OperationKind.REVOKE_ACCESS: "It ends the access of who lost a role. Give the role again, and it ends nothing.",
}

PAST_RETURN: Final[Mapping[str, str]] = {
    OperationKind.MIGRATE: "switch-placement",
    OperationKind.UPGRADE: "change-versions",
}
"""The `final` step of its flow, after which an abort would leave things half done for ever: nobody aborts it then. What

supersedes it does.
"""


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
    is_new: bool = False,
) -> Started:
    """Adds an operation for a host or a virtual cluster, as the table of kinds says. Call it inside a transaction.

    It meets the last of those that are ahead of it; those that are being aborted already decide nothing. Raises
    Conflict, naming the operation in the way, where the table refuses. `is_new` says that the object was made in this
    transaction: nobody else can see it, so there is nothing to lock and nothing ahead.
    """
    if not is_new:
        subject_lock(subject)
    lock_key = None if kind in UNLOCKED_KINDS else _lock_key(subject)
    ahead = list(_unfinished(lock_key).select_for_update()) if lock_key and not is_new else []
    going_on = [operation for operation in ahead if not operation.abort_requested]
    if going_on:
        last = going_on[-1]
        meeting = MEETINGS[kind, OperationKind(last.kind)]
        waits_already = last.kind == kind and last.state == OperationState.QUEUED
        if meeting is Meeting.NO_OP or (meeting is Meeting.QUEUE_ONCE and waits_already):
            return Started(operation=last, created=False)
        if meeting is Meeting.REFUSE:
            raise Conflict(
                f"{subject} is busy: {last.kind} is at work.",
                hint=f"Wait for operation {last.pk}, then try again (marina op watch {last.pk}).",
                operation_id=last.pk,
            )
    for operation in going_on:
        if MEETINGS[kind, OperationKind(operation.kind)] is Meeting.SUPERSEDE:
            _abort(operation, why=f"Superseded by {kind}.", now=now)
    queued = any(not operation.finished for operation in ahead)
    started = _create(
        kind=kind, subject=subject, actor=actor, lock_key=lock_key, params=params or {}, now=now, queued=queued
    )
    return Started(operation=started, created=True)


def subject_lock(subject: HostCluster | VirtualCluster | None) -> None:
    """Locks the object's row until the transaction ends, so that of two requests the second sees what the first did.

    Of several locks it is taken first, by services and workers alike: the object, then its operations, then the rest.
    """
    if subject is not None:
        _lock(type(subject), subject.pk)


def operation_subject_lock(operation: Operation) -> None:
    """`subject_lock` for what an operation is about, which is not read for it."""
    if operation.virtual_cluster_id is not None:
        _lock(VirtualCluster, operation.virtual_cluster_id)
    elif operation.host_id is not None:
        _lock(HostCluster, operation.host_id)


def _lock(model: type[HostCluster | VirtualCluster], pk: UUID) -> None:
    # by hand, because Django takes many times as long to make this statement as the database to answer it
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM {model._meta.db_table} WHERE id = %s FOR NO KEY UPDATE", [pk])


def _lock_key(subject: HostCluster | VirtualCluster) -> str:
    return f"{'host' if isinstance(subject, HostCluster) else 'virtual-cluster'}:{subject.pk}"


def _unfinished(lock_key: str | None) -> QuerySet[Operation]:
    return Operation.objects.filter(lock_key=lock_key, state__in=(*ACTIVE_STATES, OperationState.QUEUED)).order_by("id")


def operation_end_early(*, operation: Operation, why: str, now: datetime) -> None:
    """Marina itself has it end, where it is not being put back already. The caller has locked its object."""
    locked = Operation.objects.select_for_update().get(pk=operation.pk)
    if not locked.finished and locked.undoing is None:
        _abort(locked, why=why, now=now)


def operation_superseded(operation: Operation) -> bool:
    """Whether one that waits for its turn takes its place."""
    if operation.lock_key is None:
        return False
    waiting = _newer(operation).filter(state=OperationState.QUEUED).values_list("kind", flat=True)
    return any(MEETINGS[OperationKind(kind), OperationKind(operation.kind)] is Meeting.SUPERSEDE for kind in waiting)


def operation_wait_ends(*, operation: Operation) -> None:
    """It waits for a host no more on which its object is no more. In the caller's transaction."""
    Operation.objects.filter(pk=operation.pk).update(waiting_host=None, run_after=None, published_at=Now())
    transaction.on_commit(partial(operation_wake, operation.pk))


def _abort(operation: Operation, *, why: str, now: datetime) -> None:
    """A Queued one ends at once; an active one is ended by its worker between two steps."""
    OperationEvent.objects.create(operation=operation, time=now, level="warning", text=why)
    operation.abort_requested = True
    operation.message = why
    if operation.state == OperationState.QUEUED:
        operation.state = OperationState.ABORTED
        operation.finished_at = now
    operation.run_after = operation.waiting_host = None
    operation.published_at = Now()
    operation.save(
        update_fields=[
            "abort_requested",
            "message",
            "state",
            "finished_at",
            "run_after",
            "waiting_host",
            "published_at",
        ]
    )
    if operation.finished and operation.kind == OperationKind.EXPORT:
        export_of_operation_fail(operation, now)
    transaction.on_commit(partial(operation_wake, operation.pk))


def _create(
    *,
    kind: OperationKind,
    subject: HostCluster | VirtualCluster,
    actor: Actor,
    lock_key: str | None,
    params: dict[str, Any],
    now: datetime,
    queued: bool,
) -> Operation:
    operation = Operation(
        kind=kind,
        state=OperationState.QUEUED if queued else OperationState.PENDING,
        requested_by=actor.user,
        lock_key=lock_key,
        params=params,
        published_at=Now(),  # by the database's clock, as the waker reads it
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
    operation_subject_lock(operation)
    locked = Operation.objects.select_for_update().get(pk=operation.pk)
    if locked.state != OperationState.FAILED:
        raise Conflict(f"Only a Failed operation can be tried again; this one is {locked.state}.")
    if locked.kind in NEVER_RETRIED:
        raise Conflict(f"{locked.kind} cannot be tried again.", hint=NEVER_RETRIED[OperationKind(locked.kind)])
    if _newer(locked).exists():
        raise Conflict(
            f"A later operation followed this {locked.kind}, so it cannot go on.",
            hint="Look at the newest operation of the object.",
        )
    locked.state = OperationState.PENDING
    locked.attempt = 0
    _from_the_beginning_where_put_back(locked)
    locked.step_started_at = locked.finished_at = None
    locked.error_code = locked.error_message = locked.error_hint = ""
    locked.message = "Tried again."
    locked.run_after, locked.published_at = None, Now()
    locked.left_behind = []
    locked.abort_requested = False
    locked.save()
    OperationEvent.objects.create(operation=locked, time=now, text=f"Tried again by {actor.label}.")
    _audit(actor, "operation.retry", locked)
    transaction.on_commit(partial(operation_wake, locked.pk))
    return locked


def _from_the_beginning_where_put_back(operation: Operation) -> None:
    """One that failed while it was put back goes on with that."""
    if operation.undoing is not None and operation.step == len(operation.steps):
        operation.undoing, operation.steps, operation.step = None, [], 0


def _newer(operation: Operation) -> QuerySet[Operation]:
    return Operation.objects.filter(lock_key=operation.lock_key, pk__gt=operation.pk).exclude(lock_key=None)


@transaction.atomic
def operation_abort(*, operation: Operation, actor: Actor, now: datetime) -> Operation:
    """Ends an operation before its next step; what its steps made stays. Conflict when it has ended already."""
    _require(actor, "operation.abort", operation)
    operation_subject_lock(operation)
    locked = Operation.objects.select_for_update().get(pk=operation.pk)
    if locked.finished:
        raise Conflict(f"This operation has already ended: {locked.state}.")
    if locked.undoing is not None:
        raise Conflict("What it did is being put back already; then it ends by itself.")
    if locked.kind in NEVER_ABORTED:
        raise Conflict(f"{locked.kind} cannot be aborted.", hint=NEVER_ABORTED[OperationKind(locked.kind)])
    if any(each["key"] == PAST_RETURN.get(locked.kind) and each["state"] == "done" for each in locked.steps):
        raise Conflict("It has got where it was to go already; what is left is tidied up, then it ends by itself.")
    _abort(locked, why=f"Aborted by {actor.label}.", now=now)
    if locked.finished and locked.kind == OperationKind.CONNECT:  # it was queued: nobody proves its credential now
        HostCredential.objects.filter(host=locked.host).update(candidate=None)
    _audit(actor, "operation.abort", locked)
    return locked


def _require(actor: Actor, action: str, operation: Operation) -> None:
    """Marina itself and the platform's admin site; for operations of hosts whoever may update it; else a role."""
    if actor.user is not None and not actor.platform:
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
