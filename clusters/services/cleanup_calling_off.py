"""Calling off deletions that the sweep began: as long as nothing is taken away, whoever wants the cluster keeps it."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from accounts.services.audit import Actor
from clusters.exports.purging import took_something
from clusters.lifecycle.deciding import CLEANUP
from clusters.models import (
    ACTIVE_STATES,
    CleanupState,
    CleanupSwitch,
    Operation,
    OperationKind,
    OperationState,
    VirtualCluster,
)
from clusters.services.operations import operation_abort, operation_subject_lock

BY_CLEANUP: Final = "cleanup"
"""In a `delete` operation's params: the sweep began it, and not a person."""
_ACTOR: Final = Actor(user=None, name=CLEANUP)


def deletions_of_cleanup() -> QuerySet[Operation]:
    """Those that have not ended."""
    going_on = Operation.objects.filter(state__in=(*ACTIVE_STATES, OperationState.QUEUED), abort_requested=False)
    return going_on.filter(kind=OperationKind.DELETE, params__contains={BY_CLEANUP: True}).order_by("pk")


def deletion_call_off(*, virtual_cluster: UUID, now: datetime) -> bool:
    """Ends what the sweep began of this cluster; False where there is none, or where it took something already.

    Call it inside a transaction.
    """
    keys = deletions_of_cleanup().filter(virtual_cluster=virtual_cluster).values_list("pk", flat=True)
    return any(_call_off(key, now) for key in keys)


def deletions_call_off(*, now: datetime) -> int:
    """Ends all of them that took nothing yet; says how many. Call it inside a transaction."""
    return sum(_call_off(key, now) for key in list(deletions_of_cleanup().values_list("pk", flat=True)))


def _call_off(key: UUID, now: datetime) -> bool:
    operation = Operation.objects.get(pk=key)
    operation_subject_lock(operation)
    locked = Operation.objects.select_for_update().get(pk=key)
    if locked.finished or locked.abort_requested or took_something(locked):
        return False
    operation_abort(operation=locked, actor=_ACTOR, now=now)
    return True


def deletion_wanted(operation: Operation) -> bool:
    """Whether a deletion is still to be done: what the sweep began may be called off, and its cluster be kept or used.

    What a person began is.
    """
    if operation.virtual_cluster_id is None or not operation.params.get(BY_CLEANUP):
        return True
    rows = VirtualCluster.objects.filter(pk=operation.virtual_cluster_id, deletion_protection=False)
    stopped = CleanupSwitch.objects.filter(stopped=True).exists()
    return not stopped and rows.filter(cleanup_state=CleanupState.DELETING).exists()
