"""Who was given a kubeconfig, who of them may not have it any more, and how their access is ended."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.services.audit import Actor
from clusters.access import kubeconfig_held
from clusters.models import (
    KubeconfigGrant,
    Operation,
    OperationKind,
    OperationState,
    VirtualCluster,
    VirtualClusterPhase,
)
from clusters.services.operations import operation_start, subject_lock

ACTOR: Final = Actor(user=None, name="marina")
ISSUED_LATE: Final = timedelta(minutes=1)
"""Between the moment at which a worker notes until when a token holds and the token itself."""
TIDIED_AFTER: Final = timedelta(hours=1)
"""So long after the last kubeconfig of a user and level ended its ServiceAccount may stay: nobody has a token of it."""
TRIED_AGAIN_AFTER: Final = timedelta(minutes=5)
"""So long after an attempt that failed the next one is begun."""
UNREACHABLE: Final = (
    VirtualClusterPhase.PENDING,
    VirtualClusterPhase.PROVISIONING,
    VirtualClusterPhase.FALLING_ASLEEP,
    VirtualClusterPhase.ASLEEP,
    VirtualClusterPhase.WAKING,
    VirtualClusterPhase.DELETING,
    VirtualClusterPhase.DELETED,
)
"""In these there is no virtual API to ask; whatever brings one back puts access right first."""

Account = tuple[UUID, str]
"""A user's id and a level: what each has a ServiceAccount of its own for."""


@dataclass(frozen=True)
class AccessEnding:
    """What is to be taken away inside one cluster, and the grants that have ended with it."""

    accounts: tuple[Account, ...]
    grants: tuple[UUID, ...]


def grants_live() -> QuerySet[KubeconfigGrant]:
    """Those whose ServiceAccount is not known to be gone."""
    return KubeconfigGrant.objects.filter(revoked_at=None)


def grant_put(*, operation: Operation, level: str, expires_at: datetime) -> None:
    """Notes the kubeconfig of this operation as given out, until then; in the caller's transaction.

    Also where it was taken for ended meanwhile: what is made after that has to be ended again.
    """
    if operation.virtual_cluster is None or operation.requested_by is None:
        raise ValueError("a kubeconfig is always of a virtual cluster, and asked for by somebody")
    KubeconfigGrant.objects.update_or_create(
        operation=operation,
        defaults={
            "virtual_cluster": operation.virtual_cluster,
            "user": operation.requested_by,
            "level": level,
            "expires_at": expires_at,
            "revoked_at": None,
        },
    )


def grant_allowed(operation: Operation) -> bool:
    """Whether who asked for this operation's kubeconfig may still have it."""
    return KubeconfigGrant.objects.filter(kubeconfig_held(), operation=operation).exists()


def access_to_end(*, virtual_cluster: VirtualCluster, now: datetime) -> AccessEnding:
    """Of one cluster, as roles are now: by two queries, however many were given a kubeconfig.

    An account stays as long as one grant of it neither ended by itself nor lost its role.
    """
    live = grants_live().filter(virtual_cluster=virtual_cluster)
    rows = list(live.order_by("id").values_list("pk", "user_id", "level", "expires_at"))
    kept_rows = live.filter(kubeconfig_held(), expires_at__gt=now).values_list("user_id", "level")
    kept = set(kept_rows)
    ended = [(pk, (user, level)) for pk, user, level, _ in rows if (user, level) not in kept]
    return AccessEnding(
        accounts=tuple(dict.fromkeys(account for _, account in ended)), grants=tuple(pk for pk, _ in ended)
    )


def grants_end(grants: tuple[UUID, ...], *, now: datetime) -> None:
    """Their ServiceAccounts are gone."""
    grants_live().filter(pk__in=grants).update(revoked_at=now)


def grants_forget(*, virtual_cluster: VirtualCluster, now: datetime) -> None:
    """All of a cluster: the API that knew their tokens is no more."""
    grants_live().filter(virtual_cluster=virtual_cluster).update(revoked_at=now)


def access_revoke(*, now: datetime) -> list[Operation]:
    """Starts `revoke-access` for each cluster in which somebody has a kubeconfig that no role gives any more.

    Set-based, so that it costs little where nobody lost anything. Run by a schedule.
    """
    _ended_drop(now)
    waiting = Operation.objects.filter(
        virtual_cluster=OuterRef("pk"), kind=OperationKind.REVOKE_ACCESS, finished_at=None
    )
    failed = Operation.objects.filter(
        virtual_cluster=OuterRef("pk"),
        kind=OperationKind.REVOKE_ACCESS,
        state=OperationState.FAILED,
        finished_at__gt=now - TRIED_AGAIN_AFTER,
    )
    clusters = VirtualCluster.objects.exclude(phase__in=UNREACHABLE).exclude(Exists(waiting)).exclude(Exists(failed))
    due = clusters.filter(pk__in=_due(now).values("virtual_cluster"))
    return [operation for cluster in due.order_by("pk") if (operation := _start(cluster, now))]


def _due(now: datetime) -> QuerySet[KubeconfigGrant]:
    """Lost roles at once; what ended by itself when it is long over and no other grant keeps the account."""
    lost = grants_live().filter(expires_at__gt=now).exclude(kubeconfig_held())
    over = grants_live().filter(expires_at__lte=now - TIDIED_AFTER)
    return KubeconfigGrant.objects.filter(pk__in=lost.values("pk").union(over.values("pk")))


def _ended_drop(now: datetime) -> None:
    """Those for which nothing has to be done inside: their account serves another grant, or their cluster is gone."""
    later = grants_live().filter(
        virtual_cluster=OuterRef("virtual_cluster"),
        user=OuterRef("user"),
        level=OuterRef("level"),
        expires_at__gt=now,
    )
    grants_live().filter(Exists(later), expires_at__lte=now).update(revoked_at=now)
    grants_live().filter(virtual_cluster__phase=VirtualClusterPhase.DELETED).update(revoked_at=now)


@transaction.atomic
def _start(cluster: VirtualCluster, now: datetime) -> Operation | None:
    subject_lock(cluster)
    kind = OperationKind.REVOKE_ACCESS
    if Operation.objects.filter(virtual_cluster=cluster, kind=kind, finished_at=None).exists():
        return None
    if not access_to_end(virtual_cluster=cluster, now=now).accounts:  # it was done while this one was looking
        return None
    return operation_start(kind=kind, subject=cluster, actor=ACTOR, now=now).operation
